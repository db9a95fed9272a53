#include "service/policy/engine.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/policy/ttl.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/policy/policy_text.h"

namespace lmbroker::policy {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::string_view kPolicy = R"(callers:
  - name: inventory
    identities: ["spiffe://corp.example/inventory", "dns:inventory.example"]
    forward:
      - {portal: acme, credential: reader, methods: [GET], paths: ["/device/**", "/setting/admins", "/setting/admins/*"]}
      - {portal: acme, credential: writer, methods: [POST, PUT], paths: ["/device/**"]}
      - {portal: acme, credential: logs, methods: [POST], paths: ["/log/ingest"], api: ingest}
      - {portal: acme, credential: audit, methods: [GET], paths: ["/device/groups"]}
      - {portal: acme, credential: writer, methods: [PUT, DELETE], paths: ["/**"]}
    tokens:
      - {portal: acme, admins: [32, 33], types: [LMV1], verbs: [create, list, get]}
      - {portal: acme, admins: [40], verbs: [create, list], hand_over: true}
      - {portal: acme, admins: [50], verbs: [create, list], max_ttl: 1h}
  - name: accounts
    identities: ["dns:accounts.example"]
    forward:
      - {portal: acme, credential: writer, methods: [GET, POST, PUT], paths: ["/setting/**"], account_writes: true}
  - name: ops
    identities: ["dns:ops.example"]
    operator: true
    tokens:
      - {portal: acme, admins: [60], verbs: [create], hand_over: true}
)";

class EngineTest : public ::testing::Test {
 protected:
  Caller Named(std::string_view name) const { return *engine_.FindCaller(name); }

  Decision Forward(std::string_view caller, http::Method method, std::string_view path,
                   std::optional<CredentialName> credential = std::nullopt, http::Api api = http::Api::kManagement,
                   std::string_view portal = "acme") const {
    return engine_.Explain(Named(caller), ForwardQuestion{.portal = Portal(portal),
                                                          .credential = std::move(credential),
                                                          .api = api,
                                                          .method = method,
                                                          .path = Path(path)});
  }

  Decision Tokens(std::string_view caller, TokenQuestion question) const {
    return engine_.Explain(Named(caller), question);
  }

  Engine engine_ = EngineOf(kPolicy);
};

std::shared_ptr<const http::CanonicalRequest> Request(std::string_view method, std::string_view path,
                                                      std::string_view body = "") {
  auto request = http::CanonicalRequest::Make(
      {.method = std::string(method), .path = std::string(path), .body = std::string(body)}, {});
  EXPECT_THAT(request, IsOk());
  return std::make_shared<const http::CanonicalRequest>(*std::move(request));
}

// Law 2 of the design.
TEST_F(EngineTest, DefaultDeny) {
  const Engine empty(std::make_shared<const Policy>());
  const Caller nobody{.identity = "dns:nobody.example"};
  const Caller pretender{.identity = "dns:x.example", .name = "ghost", .is_operator = true};
  for (const Caller& caller : {nobody, pretender, Caller{}}) {
    for (const Engine* engine : std::vector<const Engine*>{&empty, &engine_}) {
      EXPECT_THAT(engine->Authorize(caller, Portal("acme"), std::nullopt, Request("GET", "/device/devices")),
                  RefusedWith(Reason::kNoGrant));
      EXPECT_THAT(engine->Authorize(caller, TokenQuestion{.verb = Verb::kList, .portal = Portal("acme")}),
                  RefusedWith(Reason::kNoGrant));
      EXPECT_THAT(engine->Scope(caller, Portal("acme")), RefusedWith(Reason::kNoGrant));
      EXPECT_THAT(engine->AuthorizeOperator(caller, Portal("acme")), RefusedWith(Reason::kNoGrant));
    }
  }
}

TEST_F(EngineTest, MatchingGrantAllowsWithItsCredentialAndRule) {
  const Decision decision = Forward("inventory", http::Method::kGet, "/device/devices");
  EXPECT_TRUE(decision.allowed);
  EXPECT_EQ(decision.rule, "inventory.forward[0]");
  EXPECT_EQ(decision.credential, Credential("acme", "reader"));
  EXPECT_EQ(decision.reason, std::nullopt);
  EXPECT_THAT(decision.nearest, IsEmpty());
}

TEST_F(EngineTest, NothingIsPutTogetherFromTwoGrants) {
  // The path is granted for PUT and POST, the credential for GET.
  EXPECT_FALSE(Forward("inventory", http::Method::kPost, "/device/devices", Credential("acme", "reader")).allowed);
  EXPECT_FALSE(Forward("inventory", http::Method::kPost, "/log/ingest").allowed);
  EXPECT_TRUE(Forward("inventory", http::Method::kPost, "/log/ingest", std::nullopt, http::Api::kIngest).allowed);
  EXPECT_FALSE(Forward("inventory", http::Method::kGet, "/device/devices", std::nullopt, http::Api::kIngest).allowed);
}

TEST_F(EngineTest, RefusalNamesTheNearestRules) {
  const Decision decision = Forward("inventory", http::Method::kPatch, "/device/devices");
  EXPECT_FALSE(decision.allowed);
  EXPECT_EQ(decision.reason, Reason::kNoGrant);
  EXPECT_EQ(decision.rule, "");
  ASSERT_THAT(decision.nearest, SizeIs(5));
  EXPECT_EQ(decision.nearest[0].rule, "inventory.forward[0]");
  EXPECT_EQ(decision.nearest[0].failed, "methods: has GET, call is PATCH");
  EXPECT_EQ(decision.nearest[1].rule, "inventory.forward[1]");
  EXPECT_EQ(decision.nearest[1].failed, "methods: has POST, PUT, call is PATCH");
  EXPECT_EQ(decision.nearest[4].rule, "inventory.forward[2]");
  EXPECT_EQ(decision.nearest[4].failed, "api: is ingest, call is management");
}

TEST_F(EngineTest, RefusalTellsNothingAboutWhatExists) {
  const auto message = [&](std::string_view portal, std::string_view credential) {
    return std::string(engine_
                           .Authorize(Named("inventory"), Portal(portal), Credential(portal, credential),
                                      Request("GET", "/device/devices"))
                           .status()
                           .message());
  };
  EXPECT_EQ(message("acme", "writer"), message("acme", "no-such-credential"));
  EXPECT_EQ(message("acme", "writer"), message("globex", "reader"));
  EXPECT_EQ(message("acme", "writer"), message("no-such-portal", "reader"));
}

TEST_F(EngineTest, TwoCredentialsAndNoneNamedNamesThoseOfTheCaller) {
  const auto call =
      engine_.Authorize(Named("inventory"), Portal("acme"), std::nullopt, Request("GET", "/device/groups"));
  EXPECT_THAT(call, RefusedWith(Reason::kFieldInvalid));
  EXPECT_EQ(MetadataOf(call.status()).at("field"), "credential");
  EXPECT_THAT(
      std::string(call.status().message()),
      AllOf(HasSubstr("portals/acme/credentials/reader, portals/acme/credentials/audit"), Not(HasSubstr("writer"))));
  const auto named = engine_.Authorize(Named("inventory"), Portal("acme"), Credential("acme", "audit"),
                                       Request("GET", "/device/groups"));
  ASSERT_THAT(named, IsOk());
  EXPECT_EQ(named->rule(), "inventory.forward[3]");
}

TEST_F(EngineTest, TwoGrantsWithOneCredentialAreNoConflict) {
  const Decision decision = Forward("inventory", http::Method::kPut, "/device/devices/7");
  EXPECT_TRUE(decision.allowed);
  EXPECT_EQ(decision.rule, "inventory.forward[1]");
}

TEST_F(EngineTest, SecretEndpointIsRefusedToEveryoneAlike) {
  for (const std::string_view caller : {"inventory", "accounts", "ops"}) {
    for (const std::string_view path : {"/setting/admins/32/apitokens", "/setting/admins/ApiTokens/x"}) {
      const Decision decision = Forward(caller, http::Method::kGet, path);
      EXPECT_EQ(decision.reason, Reason::kSecretEndpoint) << caller << path;
      EXPECT_THAT(decision.nearest, IsEmpty());
    }
  }
  EXPECT_THAT(engine_.Authorize(Caller{.identity = "dns:nobody.example"}, Portal("no-such-portal"), std::nullopt,
                                Request("GET", "/setting/admins/apitokens")),
              RefusedWith(Reason::kSecretEndpoint));
  EXPECT_THAT(Engine::RefuseSecretEndpoint(http::Api::kIngest, Path("/setting/admins/apitokens")),
              RefusedWith(Reason::kSecretEndpoint));
  EXPECT_THAT(Engine::RefuseSecretEndpoint(http::Api::kManagement, Path("/device/devices")), IsOk());
}

TEST_F(EngineTest, NoPatternImpliesAccountWrites) {
  const Decision write = Forward("inventory", http::Method::kPut, "/setting/admins/32");
  EXPECT_EQ(write.reason, Reason::kAccountEndpoint);
  EXPECT_EQ(write.rule, "inventory.forward[4]");
  EXPECT_EQ(Forward("inventory", http::Method::kDelete, "/Setting/ROLES/1").reason, Reason::kAccountEndpoint);
  EXPECT_TRUE(Forward("inventory", http::Method::kGet, "/setting/admins/32").allowed);
  // Without a grant for the path it is not even said that the endpoint is special.
  EXPECT_EQ(Forward("inventory", http::Method::kPost, "/setting/admins").reason, Reason::kNoGrant);
}

TEST_F(EngineTest, AccountWritesAllowsThemButNoTokensInThem) {
  EXPECT_THAT(engine_.Authorize(Named("accounts"), Portal("acme"), std::nullopt,
                                Request("PUT", "/setting/admins/32", R"({"username":"x"})")),
              IsOk());
  EXPECT_THAT(engine_.Authorize(Named("accounts"), Portal("acme"), std::nullopt,
                                Request("PUT", "/setting/admins/32", R"({"username":"x","apiTokens":[{}]})")),
              RefusedWith(Reason::kSecretEndpoint));
  EXPECT_THAT(engine_.Authorize(Named("accounts"), Portal("acme"), std::nullopt,
                                Request("POST", "/setting/admins", "not json")),
              RefusedWith(Reason::kFieldInvalid));
}

TEST_F(EngineTest, OperatorForwardsNothingWithoutAGrant) {
  EXPECT_EQ(Forward("ops", http::Method::kGet, "/device/devices").reason, Reason::kNoGrant);
}

TEST_F(EngineTest, AuthorizedCallCarriesWhatWasJudged) {
  const auto request = Request("GET", "/device/devices");
  const auto call = engine_.Authorize(Named("inventory"), Portal("acme"), std::nullopt, request);
  ASSERT_THAT(call, IsOk());
  EXPECT_EQ(&call->request(), request.get());
  EXPECT_EQ(call->credential(), Credential("acme", "reader"));
  EXPECT_EQ(call->portal(), Portal("acme"));
  EXPECT_EQ(call->rule(), "inventory.forward[0]");
}

TEST(EngineShareTest, OnlyReadsUnderARuleThatSaysSoAreShared) {
  const Engine engine = EngineOf(R"(callers:
  - name: a
    identities: ["dns:a.example"]
    forward:
      - {portal: acme, credential: c, methods: [GET], paths: ["/a"]}
      - {portal: acme, credential: c, methods: [GET, POST], paths: ["/**"], share: 10s}
)");
  const auto share = [&](std::string_view method, std::string_view path) {
    const auto call = engine.Authorize(*engine.FindCaller("a"), Portal("acme"), std::nullopt, Request(method, path));
    EXPECT_THAT(call, IsOk());
    return call->share();
  };
  EXPECT_EQ(share("GET", "/b"), absl::Seconds(10));
  EXPECT_EQ(share("POST", "/b"), std::nullopt);
  EXPECT_EQ(share("GET", "/a"), std::nullopt);  // the first rule decides
}

TEST_F(EngineTest, TokenVerbNeedsOneGrantForAllOfIt) {
  const auto ask = [&](Verb verb, std::int32_t admin, std::optional<TokenType> type) {
    return Tokens("inventory", {.verb = verb, .portal = Portal("acme"), .admin = admin, .type = type});
  };
  EXPECT_TRUE(ask(Verb::kCreate, 32, TokenType::kLmv1).allowed);
  EXPECT_EQ(ask(Verb::kCreate, 32, TokenType::kLmv1).rule, "inventory.tokens[0]");
  EXPECT_TRUE(ask(Verb::kCreate, 33, std::nullopt).allowed);
  EXPECT_FALSE(ask(Verb::kCreate, 32, TokenType::kBearer).allowed);
  EXPECT_TRUE(ask(Verb::kCreate, 40, TokenType::kBearer).allowed);
  EXPECT_FALSE(ask(Verb::kDelete, 32, std::nullopt).allowed);
  EXPECT_FALSE(ask(Verb::kRotate, 32, std::nullopt).allowed);
  EXPECT_FALSE(ask(Verb::kGet, 34, std::nullopt).allowed);
  EXPECT_FALSE(ask(Verb::kGet, 40, std::nullopt).allowed);
  EXPECT_TRUE(ask(Verb::kGet, 33, std::nullopt).allowed);
}

TEST_F(EngineTest, OnlyAListMayConcernAWholePortal) {
  for (const Verb verb : {Verb::kCreate, Verb::kGet, Verb::kUpdate, Verb::kToggle, Verb::kDelete, Verb::kRotate}) {
    EXPECT_FALSE(Tokens("inventory", {.verb = verb, .portal = Portal("acme")}).allowed) << VerbName(verb);
  }
  EXPECT_TRUE(Tokens("inventory", {.verb = Verb::kList, .portal = Portal("acme")}).allowed);
  EXPECT_FALSE(Tokens("inventory", {.verb = Verb::kList, .portal = Portal("globex")}).allowed);
}

TEST_F(EngineTest, HandOverNeedsAGrantOfItsOwnEvenForOperators) {
  const auto ask = [&](std::string_view caller, std::int32_t admin) {
    return Tokens(
        caller,
        {.verb = Verb::kCreate, .portal = Portal("acme"), .admin = admin, .type = TokenType::kLmv1, .hand_over = true});
  };
  EXPECT_EQ(ask("inventory", 32).reason, Reason::kHandOverNotGranted);
  EXPECT_EQ(ask("inventory", 32).rule, "inventory.tokens[0]");
  EXPECT_TRUE(ask("inventory", 40).allowed);
  EXPECT_EQ(ask("inventory", 99).reason, Reason::kNoGrant);
  EXPECT_EQ(ask("ops", 61).reason, Reason::kHandOverNotGranted);
  EXPECT_EQ(ask("ops", 61).rule, "ops.operator");
  EXPECT_TRUE(ask("ops", 60).allowed);
}

TEST_F(EngineTest, GrantWithMaxTtlLeasesEveryTokenAndRefusesALongerLife) {
  const auto create = [&](std::optional<absl::Duration> ttl) {
    return Tokens("inventory",
                  {.verb = Verb::kCreate, .portal = Portal("acme"), .admin = 50, .type = TokenType::kLmv1, .ttl = ttl});
  };
  EXPECT_EQ(create(std::nullopt).ttl, absl::Hours(1));
  EXPECT_EQ(create(absl::Minutes(5)).ttl, absl::Minutes(5));
  EXPECT_EQ(create(absl::Hours(1)).ttl, absl::Hours(1));
  const Decision longer = create(absl::Hours(1) + absl::Nanoseconds(1));
  EXPECT_FALSE(longer.allowed);
  EXPECT_EQ(longer.reason, Reason::kNoGrant);
  EXPECT_EQ(longer.rule, "inventory.tokens[2]");
  EXPECT_THAT(longer.message, AllOf(HasSubstr("max_ttl"), HasSubstr("1h")));
  EXPECT_THAT(longer.nearest, Contains(Field(&NearMiss::failed, HasSubstr("max_ttl: is 1h, call asks for 1h"))));
  const Decision list = Tokens("inventory", {.verb = Verb::kList, .portal = Portal("acme"), .admin = 50});
  EXPECT_TRUE(list.allowed);
  EXPECT_FALSE(list.ttl.has_value());
}

TEST_F(EngineTest, WithoutMaxTtlOnlyWhatAsksForItIsLeased) {
  TokenQuestion question{.verb = Verb::kCreate, .portal = Portal("acme"), .admin = 32, .type = TokenType::kLmv1};
  EXPECT_FALSE(Tokens("inventory", question).ttl.has_value());
  question.ttl = absl::Hours(5000);
  EXPECT_EQ(Tokens("inventory", question).ttl, absl::Hours(5000));
  EXPECT_EQ(Tokens("ops", question).ttl, absl::Hours(5000));
  const auto grant = engine_.Authorize(Named("inventory"), question);
  ASSERT_THAT(grant, IsOk());
  EXPECT_EQ(grant->ttl(), absl::Hours(5000));
}

TEST(EngineLeaseTest, OfSeveralGrantsTheOneWithTheLongestLifeDecidesWhateverTheirOrder) {
  const std::string one = "{portal: acme, admins: [32], verbs: [create], max_ttl: 1h}";
  const std::string two = "{portal: acme, admins: any, verbs: [create], max_ttl: 2h}";
  const std::string free = "{portal: acme, admins: [33], verbs: [create, get]}";
  for (const auto& [grants, rule] : {std::pair(one + ", " + two + ", " + free, 1), std::pair(two + ", " + one, 0)}) {
    const Engine engine = EngineOf("callers: [{name: a, identities: ['dns:a.example'], tokens: [" + grants + "]}]");
    const Caller caller = *engine.FindCaller("a");
    TokenQuestion question{.verb = Verb::kCreate, .portal = Portal("acme"), .admin = 32};
    EXPECT_EQ(engine.Decide(caller, question).ttl, absl::Hours(2));
    EXPECT_EQ(engine.Decide(caller, question).rule, fmt::format("a.tokens[{}]", rule));
    question.ttl = absl::Hours(3);
    EXPECT_EQ(engine.Decide(caller, question).rule, fmt::format("a.tokens[{}]", rule));
    EXPECT_FALSE(engine.Decide(caller, question).allowed);
    question.admin = 33;
    EXPECT_EQ(engine.Decide(caller, question).allowed, rule == 1);  // where `free` is
  }
}

TEST(EngineLeaseTest, OperatorsAreBoundByNoLimitOfTheirGrantsUnlessTheyNeedOne) {
  const Engine engine = EngineOf(
      "callers: [{name: a, identities: ['dns:a.example'], operator: true, tokens: [{portal: acme, admins: any, verbs: "
      "[create], max_ttl: 1h, hand_over: true}]}]");
  const Caller caller = *engine.FindCaller("a");
  TokenQuestion question{.verb = Verb::kCreate, .portal = Portal("acme"), .admin = 32};
  EXPECT_EQ(engine.Decide(caller, question).rule, "a.operator");
  EXPECT_FALSE(engine.Decide(caller, question).ttl.has_value());
  question.hand_over = true;
  EXPECT_EQ(engine.Decide(caller, question).rule, "a.tokens[0]");
  EXPECT_EQ(engine.Decide(caller, question).ttl, absl::Hours(1));
  question.ttl = absl::Hours(2);
  EXPECT_EQ(engine.Decide(caller, question).reason, Reason::kNoGrant);
}

TEST(TtlTest, LivesHaveBounds) {
  for (const absl::Duration good : {absl::Seconds(1), absl::Hours(1), absl::Hours(87600)}) {
    EXPECT_THAT(CheckTtl(good, "ttl"), IsOk());
  }
  for (const absl::Duration bad : {absl::ZeroDuration(), -absl::Hours(1), absl::Milliseconds(999),
                                   absl::Hours(87600) + absl::Seconds(1), absl::InfiniteDuration()}) {
    const absl::Status status = CheckTtl(bad, "token.ttl");
    EXPECT_THAT(status, RefusedWith(Reason::kFieldInvalid));
    EXPECT_THAT(std::string(status.message()), HasSubstr("`token.ttl` must be 1s to 87600h"));
  }
}

TEST_F(EngineTest, OperatorMayUseEveryTokenVerbOnEveryPortal) {
  for (const Verb verb :
       {Verb::kCreate, Verb::kList, Verb::kGet, Verb::kUpdate, Verb::kToggle, Verb::kDelete, Verb::kRotate}) {
    const Decision decision = Tokens("ops", {.verb = verb, .portal = Portal("globex"), .admin = 7});
    EXPECT_TRUE(decision.allowed) << VerbName(verb);
    EXPECT_EQ(decision.rule, "ops.operator");
  }
  const auto grant = engine_.AuthorizeOperator(Named("ops"), Portal("acme"));
  ASSERT_THAT(grant, IsOk());
  EXPECT_EQ(grant->rule(), "ops.operator");
  EXPECT_THAT(engine_.AuthorizeOperator(Named("inventory"), Portal("acme")), RefusedWith(Reason::kNoGrant));
}

TEST_F(EngineTest, ScopeIsExactGrantByGrant) {
  const auto scope = engine_.Scope(Named("inventory"), Portal("acme"));
  ASSERT_THAT(scope, IsOk());
  EXPECT_EQ(scope->rule(), "inventory.tokens[0]");
  EXPECT_TRUE(scope->Covers(32, TokenType::kLmv1));
  EXPECT_FALSE(scope->Covers(32, TokenType::kBearer));  // no cross product with the grant for 40
  EXPECT_TRUE(scope->Covers(40, TokenType::kBearer));
  EXPECT_TRUE(scope->Covers(50, TokenType::kLmv1));
  EXPECT_FALSE(scope->Covers(60, TokenType::kLmv1));
  EXPECT_THAT(engine_.Scope(Named("inventory"), Portal("globex")), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(engine_.Scope(Named("accounts"), Portal("acme")), RefusedWith(Reason::kNoGrant));
  const auto all = engine_.Scope(Named("ops"), Portal("globex"));
  ASSERT_THAT(all, IsOk());
  EXPECT_TRUE(all->Covers(1, TokenType::kBearer));
}

TEST_F(EngineTest, IdentifyFindsTheCallerOfAnIdentity) {
  const auto caller = engine_.Identify({"dns:other.example", "dns:inventory.example"}, "ipv4:127.0.0.1:1");
  ASSERT_THAT(caller, IsOk());
  EXPECT_EQ(caller->name, "inventory");
  EXPECT_EQ(caller->identity, "dns:inventory.example");
  EXPECT_EQ(caller->peer, "ipv4:127.0.0.1:1");
  EXPECT_FALSE(caller->is_operator);
  EXPECT_TRUE(engine_.Identify({"dns:ops.example"}, "")->is_operator);
}

TEST_F(EngineTest, StrangerIsAuthenticatedWithoutAName) {
  const auto caller = engine_.Identify({"dns:stranger.example"}, "peer");
  ASSERT_THAT(caller, IsOk());
  EXPECT_EQ(caller->identity, "dns:stranger.example");
  EXPECT_EQ(caller->name, "");
  EXPECT_FALSE(
      engine_.Decide(*caller, ForwardQuestion{.portal = Portal("acme"), .path = Path("/device/devices")}).allowed);
}

TEST_F(EngineTest, NamesOfTwoCallersAreNoIdentity) {
  EXPECT_THAT(engine_.Identify({"dns:inventory.example", "dns:ops.example"}, ""), RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(engine_.Identify({"dns:inventory.example", "spiffe://corp.example/inventory"}, ""), IsOk());
  EXPECT_THAT(engine_.Identify({}, ""), RefusedWith(Reason::kNoIdentity));
}

TEST_F(EngineTest, CallersAreFoundByIdentityAndByName) {
  EXPECT_EQ(engine_.FindCaller("spiffe://corp.example/inventory")->name, "inventory");
  EXPECT_EQ(engine_.FindCaller("ops")->identity, "dns:ops.example");
  EXPECT_TRUE(engine_.FindCaller("ops")->is_operator);
  EXPECT_EQ(engine_.FindCaller("nobody"), std::nullopt);
  EXPECT_EQ(engine_.FindCaller(""), std::nullopt);
}

TEST_F(EngineTest, OperatorMarkOfAnOlderPolicyCountsNothing) {
  Caller demoted = Named("inventory");
  demoted.is_operator = true;
  EXPECT_THAT(engine_.AuthorizeOperator(demoted, Portal("acme")), RefusedWith(Reason::kNoGrant));
  EXPECT_FALSE(
      engine_.Decide(demoted, TokenQuestion{.verb = Verb::kDelete, .portal = Portal("acme"), .admin = 1}).allowed);
}

TEST_F(EngineTest, BrokersOwnRequestStaysAtThePortalOfItsGrant) {
  const auto grant = engine_.AuthorizeOperator(Named("ops"), Portal("acme"));
  ASSERT_THAT(grant, IsOk());
  EXPECT_THAT(engine_.Administer(*grant, Credential("globex", "root"), *Request("GET", "/setting/admins/apitokens")),
              RefusedWith(Reason::kInternal));
  const auto call =
      engine_.Administer(*grant, Credential("acme", "root"), *Request("GET", "/setting/admins/apitokens"));
  ASSERT_THAT(call, IsOk());
  EXPECT_EQ(call->rule(), "ops.operator");
  EXPECT_EQ(call->credential(), Credential("acme", "root"));
}

TEST_F(EngineTest, MessagesAreBounded) {
  std::string yaml = "callers:\n  - name: a\n    identities: ['dns:a.example']\n    forward:\n";
  for (int i = 0; i < 200; ++i) {
    yaml += fmt::format("      - {{portal: acme, credential: c{}, methods: [GET], paths: ['/a']}}\n", i);
  }
  const Engine engine = EngineOf(yaml);
  const Decision decision =
      engine.Explain(*engine.FindCaller("a"), ForwardQuestion{.portal = Portal("acme"), .path = Path("/a")});
  EXPECT_EQ(decision.reason, Reason::kFieldInvalid);
  EXPECT_LT(decision.message.size(), 500U);
  EXPECT_THAT(decision.nearest, SizeIs(5));
}

// Every decision that says two things at once, or half a thing.
TEST(DecisionTest, AContradictionIsInternal) {
  const CredentialName credential = Credential("acme", "reader");
  const Decision contradictions[] = {
      {},
      {.allowed = true},
      {.allowed = true, .rule = "a.forward[0]", .reason = Reason::kNoGrant, .credential = credential},
      {.allowed = true, .reason = Reason::kNoGrant},
      {.rule = "a.forward[0]"},
      {.rule = "a.forward[0]", .reason = Reason::kNoGrant, .credential = credential},
  };
  for (const Decision& decision : contradictions) {
    EXPECT_THAT(CheckConsistent(decision), RefusedWith(Reason::kInternal));
  }
  EXPECT_THAT(CheckConsistent({.allowed = true, .rule = "a.forward[0]", .credential = credential}), IsOk());
  EXPECT_THAT(CheckConsistent({.reason = Reason::kNoGrant, .message = "No."}), IsOk());
}

}  // namespace
}  // namespace lmbroker::policy
