#include "service/policy/diff.h"

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/policy/path_cells.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/policy/policy_text.h"

namespace lmbroker::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// "inventory.forward[0] GET /device/x" and so on, with the identities where only some are concerned.
std::string TextOf(const Difference& difference) {
  struct Text {
    std::string operator()(const ForwardQuestion& call) const {
      return fmt::format("{}{} {}{}", call.portal.id(), call.api == http::Api::kIngest ? " ingest" : "",
                         fmt::format("{} {}", http::MethodName(call.method), call.path.decoded()),
                         call.credential.has_value() ? " with " + call.credential->id() : "");
    }
    std::string operator()(const TokenQuestion& call) const {
      const char* type = !call.type.has_value() ? "" : *call.type == TokenType::kLmv1 ? " LMV1" : " BEARER";
      const std::string ttl = call.ttl.has_value() ? " " + absl::FormatDuration(*call.ttl) : "";
      return fmt::format("{} {} {}{}{}{}", call.portal.id(), VerbName(call.verb), call.admin.value_or(0), type, ttl,
                         call.hand_over ? " hand_over" : "");
    }
    std::string operator()(const OperatorCall&) const { return "operator"; }
  };
  return fmt::format("{}: {}{}", difference.rule, std::visit(Text{}, difference.sample),
                     difference.identities.empty() ? "" : fmt::format(" [{}]", fmt::join(difference.identities, " ")));
}

struct Texts {
  std::vector<std::string> allowed;
  std::vector<std::string> refused;
};

Texts DiffOf(std::string_view present, std::string_view candidate) {
  const auto diff = DiffPolicies(EngineOf(present), EngineOf(candidate), Portals());
  EXPECT_THAT(diff, IsOk());
  Texts texts;
  if (!diff.ok()) return texts;
  for (const Difference& difference : diff->newly_allowed) texts.allowed.push_back(TextOf(difference));
  for (const Difference& difference : diff->newly_refused) texts.refused.push_back(TextOf(difference));
  return texts;
}

// A policy with one caller, `a`, that has these grants.
std::string Forward(std::string_view grants) {
  return fmt::format("callers: [{{name: a, identities: ['dns:a.example'], forward: [{}]}}]", grants);
}
std::string Tokens(std::string_view grants) {
  return fmt::format("callers: [{{name: a, identities: ['dns:a.example'], tokens: [{}]}}]", grants);
}
std::string Get(std::string_view path, std::string_view more = "") {
  return fmt::format("{{portal: acme, credential: reader, methods: [GET], paths: ['{}']{}}}", path, more);
}

TEST(DiffPoliciesTest, TheSamePolicyIsNoDifference) {
  const std::string policy = Forward(Get("/device/**") + "," + Get("/device/*"));
  const Texts texts = DiffOf(policy, policy);
  EXPECT_THAT(texts.allowed, IsEmpty());
  EXPECT_THAT(texts.refused, IsEmpty());
}

TEST(DiffPoliciesTest, AWiderPatternIsFoundAtItsBorder) {
  EXPECT_THAT(DiffOf(Forward(Get("/a/*")), Forward(Get("/a/**"))).allowed,
              ElementsAre("a.forward[0]: acme GET /a/any/any"));
  EXPECT_THAT(DiffOf(Forward(Get("/a/*")), Forward(Get("/a/**"))).refused, IsEmpty());
  EXPECT_THAT(DiffOf(Forward(Get("/a/b")), Forward(Get("/a/*"))).allowed, ElementsAre("a.forward[0]: acme GET /a/any"));
  EXPECT_THAT(DiffOf(Forward(Get("/a/*/c")), Forward(Get("/a/b/*"))).allowed,
              ElementsAre("a.forward[0]: acme GET /a/b/any"));
  EXPECT_THAT(DiffOf(Forward(Get("/a/*/c")), Forward(Get("/a/b/*"))).refused,
              ElementsAre("a.forward[0]: acme GET /a/any/c"));
}

TEST(DiffPoliciesTest, TheSameRightsInOtherWordsAreNoDifference) {
  const Texts texts = DiffOf(Forward(Get("/a/**") + "," + Get("/a/b")),
                             "callers: [{name: renamed, identities: ['dns:a.example'], forward: [" + Get("/a/*/**") +
                                 "," + Get("/a/*") + "]}]");
  EXPECT_THAT(texts.allowed, IsEmpty());
  EXPECT_THAT(texts.refused, IsEmpty());
}

TEST(DiffPoliciesTest, MethodsApisAndPortalsAreTold) {
  const Texts texts = DiffOf(Forward(Get("/a")),
                             Forward("{portal: acme, credential: reader, methods: [GET, POST], paths: [/a]},"
                                     "{portal: globex, credential: reader, methods: [GET], paths: [/a]},"
                                     "{portal: acme, credential: reader, api: ingest, methods: [PUT], paths: [/a]}"));
  EXPECT_THAT(texts.allowed, UnorderedElementsAre("a.forward[0]: acme POST /a", "a.forward[1]: globex GET /a",
                                                  "a.forward[2]: acme ingest PUT /a"));
}

TEST(DiffPoliciesTest, AnotherCredentialIsBothAllowedAndRefused) {
  const Texts texts =
      DiffOf(Forward(Get("/a")), Forward("{portal: acme, credential: writer, methods: [GET], paths: [/a]}"));
  EXPECT_THAT(texts.allowed, ElementsAre("a.forward[0]: acme GET /a with writer"));
  EXPECT_THAT(texts.refused, ElementsAre("a.forward[0]: acme GET /a with reader"));
}

TEST(DiffPoliciesTest, ACallThatBecomesAmbiguousIsRefused) {
  const Texts texts = DiffOf(Forward(Get("/a")),
                             Forward(Get("/a") + ", {portal: acme, credential: writer, methods: [GET], paths: [/a]}"));
  EXPECT_THAT(texts.allowed, ElementsAre("a.forward[1]: acme GET /a with writer"));
  EXPECT_THAT(texts.refused, ElementsAre("a.forward[0]: acme GET /a"));
}

TEST(DiffPoliciesTest, AccountWritesAreFoundUnderAPattern) {
  constexpr std::string_view kWrite = "{{portal: acme, credential: reader, methods: [POST], paths: ['/**']{}}}";
  const Texts texts = DiffOf(Forward(fmt::format(kWrite, "")), Forward(fmt::format(kWrite, ", account_writes: true")));
  EXPECT_THAT(texts.allowed, ElementsAre("a.forward[0]: acme POST /setting/admins"));
}

// Where /setting/admins itself is judged the same by both, the other writings of it are not.
TEST(DiffPoliciesTest, AccountWritesAreFoundInAnotherWriting) {
  const auto policy = [](bool all) {
    return Forward(
        fmt::format("{{portal: acme, credential: reader, methods: [POST], paths: ['/**'], account_writes: {}}},"
                    "{{portal: acme, credential: reader, methods: [POST], paths: ['/setting/**'], "
                    "account_writes: true}}",
                    all));
  };
  EXPECT_THAT(DiffOf(policy(false), policy(true)).allowed, ElementsAre("a.forward[0]: acme POST /Setting/admins"));
}

TEST(DiffPoliciesTest, SecretEndpointsAreNoDifference) {
  EXPECT_THAT(DiffOf("", Forward(Get("/setting/admins/32/apitokens"))).allowed, IsEmpty());
}

TEST(DiffPoliciesTest, VerbsUsersTypesAndHandOverAreTold) {
  const Texts texts = DiffOf(Tokens("{portal: acme, admins: [32], types: [LMV1], verbs: [get, create]}"),
                             Tokens("{portal: acme, admins: [32, 33], verbs: [get, create], hand_over: true}"));
  EXPECT_THAT(texts.refused, IsEmpty());
  EXPECT_THAT(texts.allowed,
              UnorderedElementsAre("a.tokens[0]: acme get 32 BEARER", "a.tokens[0]: acme create 32 BEARER",
                                   "a.tokens[0]: acme create 32 hand_over", "a.tokens[0]: acme get 33",
                                   "a.tokens[0]: acme create 33", "a.tokens[0]: acme create 33 hand_over"));
}

TEST(DiffPoliciesTest, AnyUserIsTriedOnOneThatNoGrantNames) {
  EXPECT_THAT(DiffOf(Tokens("{portal: acme, admins: [1, 2], verbs: [get]}"),
                     Tokens("{portal: acme, admins: any, verbs: [get]}"))
                  .allowed,
              ElementsAre("a.tokens[0]: acme get 3"));
}

TEST(DiffPoliciesTest, ALongerOrShorterLifeIsTold) {
  const auto policy = [](std::string_view max_ttl) {
    return Tokens(fmt::format("{{portal: acme, admins: [32], verbs: [create, get]{}}}", max_ttl));
  };
  EXPECT_THAT(DiffOf(policy(""), policy(", max_ttl: 1h")).refused, ElementsAre("a.tokens[0]: acme create 32 87600h"));
  EXPECT_THAT(DiffOf(policy(", max_ttl: 1h"), policy(", max_ttl: 2h")).allowed,
              ElementsAre("a.tokens[0]: acme create 32 2h"));
  EXPECT_THAT(DiffOf(policy(", max_ttl: 1h"), policy(", max_ttl: 2h")).refused, IsEmpty());
  // What nobody may ask for is no difference.
  EXPECT_THAT(DiffOf(policy(", max_ttl: 87650h"), policy("")).allowed, IsEmpty());
}

TEST(DiffPoliciesTest, ALifeIsToldForTheTypeThatItIsOf) {
  const Texts texts = DiffOf(
      Tokens("{portal: acme, admins: [32], verbs: [create], max_ttl: 1h}"),
      Tokens("{portal: acme, admins: [32], types: [LMV1], verbs: [create], max_ttl: 1h}, {portal: acme, admins: any, "
             "types: [BEARER], verbs: [create], max_ttl: 3h}"));
  EXPECT_THAT(texts.allowed, ElementsAre("a.tokens[1]: acme create 1 BEARER", "a.tokens[1]: acme create 32 BEARER 3h"));
  EXPECT_THAT(texts.refused, IsEmpty());
}

TEST(DiffPoliciesTest, AnOperatorsMarkIsToldWithItsVerbs) {
  const Texts texts = DiffOf("callers: [{name: a, identities: ['dns:a.example']}]",
                             "callers: [{name: a, identities: ['dns:a.example'], operator: true}]");
  EXPECT_THAT(texts.allowed,
              UnorderedElementsAre("a.operator: operator", "a.operator: acme create 1", "a.operator: acme list 1",
                                   "a.operator: acme get 1", "a.operator: acme update 1", "a.operator: acme toggle 1",
                                   "a.operator: acme delete 1", "a.operator: acme rotate 1"));
}

TEST(DiffPoliciesTest, CallersThatComeOrGoAreTold) {
  EXPECT_THAT(DiffOf("", Forward(Get("/a"))).allowed, ElementsAre("a.forward[0]: acme GET /a"));
  EXPECT_THAT(DiffOf(Forward(Get("/a")), "").refused, ElementsAre("a.forward[0]: acme GET /a"));
}

TEST(DiffPoliciesTest, IdentitiesThatMovedAreNamed) {
  const auto policy = [](std::string_view a, std::string_view b) {
    return fmt::format(
        "callers: [{{name: a, identities: [{}], forward: [{}]}}, {{name: b, identities: [{}], forward: [{}]}}]", a,
        Get("/a"), b, Get("/b"));
  };
  const Texts texts = DiffOf(policy("'dns:1.example', 'dns:2.example'", "'dns:3.example'"),
                             policy("'dns:1.example'", "'dns:2.example', 'dns:3.example'"));
  EXPECT_THAT(texts.allowed, ElementsAre("b.forward[0]: acme GET /b [dns:2.example]"));
  EXPECT_THAT(texts.refused, ElementsAre("a.forward[0]: acme GET /a [dns:2.example]"));
}

TEST(DiffPoliciesTest, PatternsThatOverlapInTooManyWaysAreRefusedNotGuessed) {
  std::string paths;
  for (unsigned bits = 1; bits < 1U << 13U; bits += 3) {
    std::string path;
    for (unsigned i = 0; i < 13; ++i) path += (bits >> i & 1U) != 0 ? fmt::format("/s{}", bits % 5 + i) : "/*";
    paths += (paths.empty() ? "'" : "', '") + path;
  }
  const std::string policy =
      Forward(fmt::format("{{portal: acme, credential: reader, methods: [GET], paths: [{}']}}", paths));
  EXPECT_THAT(DiffPolicies(EngineOf(policy), EngineOf(""), Portals()), RefusedWith(Reason::kFieldInvalid));
}

// --- Random pairs -----------------------------------------------------------------------------------

using Words = std::vector<std::string>;

// Makes policies that differ in a little of everything, and calls over the same words.
class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  bool Chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  const std::string& One(const Words& words) { return words[random_() % words.size()]; }
  std::string Some(const Words& words) {
    Words some;
    for (const std::string& word : words) {
      if (Chance(40)) some.push_back(word);
    }
    if (some.empty()) some.push_back(One(words));
    return fmt::format("[{}]", fmt::join(some, ", "));
  }

  // The identities are dealt out to three callers.
  std::string Policy() {
    std::vector<Words> dealt(4);  // what the last one gets, nobody has
    for (const std::string& identity : kIdentities) dealt[random_() % 4].push_back("'" + identity + "'");
    std::string yaml = "callers:\n";
    for (int i = 0; i < 3; ++i) {
      if (dealt[i].empty()) continue;
      yaml += fmt::format("  - {{name: {}, identities: [{}], operator: {}, forward: [{}], tokens: [{}]}}\n", "abc"[i],
                          fmt::join(dealt[i], ", "), Chance(15), Forwards(), Tokens());
    }
    return yaml == "callers:\n" ? "" : yaml;
  }

  std::string Identity() { return One(kIdentities); }
  ForwardQuestion Call() {
    std::string path;
    for (auto i = 1 + random_() % 4; i > 0; --i) path += "/" + One(kSegments);
    ForwardQuestion call{.portal = Portal(One(kPortals)),
                         .api = Chance(90) ? http::Api::kManagement : http::Api::kIngest,
                         .method = *http::ParseMethod(One(kMethods)),
                         .path = Path(path)};
    if (Chance(30)) call.credential = Credential(call.portal.id(), One(kCredentials));
    return call;
  }
  TokenQuestion Verbs() {
    TokenQuestion call{.verb = *ParseVerb(One(kVerbs)), .portal = Portal(One(kPortals))};
    if (call.verb != Verb::kList || !Chance(30)) call.admin = std::stoi(One(kAsked));
    if (Chance(60)) call.type = Chance(50) ? TokenType::kLmv1 : TokenType::kBearer;
    call.hand_over = call.verb == Verb::kCreate && Chance(40);
    if (call.verb == Verb::kCreate && Chance(50)) call.ttl = absl::Minutes(30) * (1 + random_() % 5);
    return call;
  }

 private:
  std::string Forwards() {
    Words grants;
    for (auto i = random_() % 5; i > 0; --i) {
      Words paths;
      for (auto j = 1 + random_() % 2; j > 0; --j) {
        std::string path;
        for (auto k = 1 + random_() % 3; k > 0; --k) path += "/" + (Chance(30) ? "*" : One(kSegments));
        paths.push_back("'" + (Chance(10) ? "/**" : Chance(30) ? path + "/**" : path) + "'");
      }
      grants.push_back(fmt::format(
          "{{portal: {}, credential: {}, api: {}, methods: {}, paths: [{}], account_writes: {}}}", One(kPortals),
          One(kCredentials), Chance(90) ? "management" : "ingest", Some(kMethods), fmt::join(paths, ", "), Chance(40)));
    }
    return fmt::format("{}", fmt::join(grants, ", "));
  }
  std::string Tokens() {
    Words grants;
    for (auto i = random_() % 4; i > 0; --i) {
      grants.push_back(fmt::format("{{portal: {}, admins: {}, types: {}, verbs: {}, hand_over: {}{}}}", One(kPortals),
                                   Chance(25) ? "any" : Some(kAdmins), Some({"LMV1", "BEARER"}), Some(kVerbs),
                                   Chance(40), Chance(40) ? fmt::format(", max_ttl: {}h", 1 + random_() % 2) : ""));
    }
    return fmt::format("{}", fmt::join(grants, ", "));
  }

  const Words kIdentities = {"dns:1.example", "dns:2.example", "dns:3.example", "dns:4.example"};
  const Words kPortals = {"acme", "acme", "globex"};
  const Words kCredentials = {"reader", "writer"};
  const Words kMethods = {"GET", "POST", "DELETE"};
  const Words kSegments = {"a", "b", "setting", "admins", "SETTING", "roles", "x"};
  const Words kAdmins = {"1", "32"};
  const Words kAsked = {"1", "32", "77"};
  const Words kVerbs = {"create", "list", "get", "update", "toggle", "delete", "rotate"};

  std::mt19937 random_;
};

// Who an identity is; nobody, when the policy does not know it.
Caller CallerOf(const Engine& engine, const std::string& identity) { return *engine.Identify({identity}, ""); }

// What a difference says, as far as it promises to be complete.
using Essence = std::tuple<std::string, std::string, std::string>;  // identity, rule, method or verb

std::string WordOf(const ForwardQuestion& call) { return std::string(http::MethodName(call.method)); }
std::string WordOf(const TokenQuestion& call) { return std::string(VerbName(call.verb)); }
std::string WordOf(const OperatorCall&) { return "operator"; }

// The essences of one list, each proved to be real.
std::set<Essence> Proved(const std::vector<Difference>& list, const Engine& allowing, const Engine& refusing) {
  std::set<Essence> essences;
  for (const Difference& difference : list) {
    std::vector<std::string> identities = difference.identities;
    if (identities.empty())
      identities = allowing.policy().callers[allowing.policy().by_name.at(difference.caller)].identities;
    for (const std::string& identity : identities) {
      const Caller there = CallerOf(allowing, identity);
      const Caller here = CallerOf(refusing, identity);
      EXPECT_EQ(there.name, difference.caller);
      const auto prove = [&](const auto& call) {
        if constexpr (std::is_same_v<std::decay_t<decltype(call)>, OperatorCall>) {
          EXPECT_TRUE(there.is_operator && !here.is_operator);
        } else {
          const Decision decision = allowing.Decide(there, call);
          EXPECT_TRUE(decision.allowed) << TextOf(difference);
          EXPECT_EQ(decision.rule, difference.rule) << TextOf(difference);
          EXPECT_FALSE(refusing.Decide(here, call).allowed) << TextOf(difference);
        }
        essences.emplace(identity, difference.rule, WordOf(call));
      };
      std::visit(prove, difference.sample);
    }
  }
  return essences;
}

TEST(DiffPoliciesTest, EveryDifferenceIsRealAndNoProbeFindsOneThatIsNotReported) {
  Generator generator(20223);
  int differences = 0;
  int found = 0;
  for (int round = 0; round < 150; ++round) {
    const std::string before = generator.Policy();
    const std::string after = generator.Policy();
    const Engine present = EngineOf(before);
    const Engine candidate = EngineOf(after);
    const auto diff = DiffPolicies(present, candidate, Portals());
    ASSERT_THAT(diff, IsOk());
    const std::set<Essence> allowed = Proved(diff->newly_allowed, candidate, present);
    const std::set<Essence> refused = Proved(diff->newly_refused, present, candidate);
    differences += static_cast<int>(allowed.size() + refused.size());
    const auto probe = [&](const auto& call) {
      const std::string identity = generator.Identity();
      const Decision old_decision = present.Decide(CallerOf(present, identity), call);
      const Decision new_decision = candidate.Decide(CallerOf(candidate, identity), call);
      if (old_decision.allowed == new_decision.allowed) return;
      ++found;
      const Essence essence(identity, new_decision.allowed ? new_decision.rule : old_decision.rule, WordOf(call));
      EXPECT_TRUE((new_decision.allowed ? allowed : refused).contains(essence))
          << before << "\n---\n"
          << after << identity << " " << std::get<1>(essence) << " " << std::get<2>(essence);
    };
    for (int i = 0; i < 300; ++i) probe(generator.Call());
    for (int i = 0; i < 100; ++i) probe(generator.Verbs());
    if (HasFailure()) return;
  }
  EXPECT_GE(differences, 2'000);
  EXPECT_GE(found, 5'000);
}

// --- Cells -------------------------------------------------------------------------------------------

TEST(PathCellsTest, EverySetOfPatternsThatSomePathMatchesHasOne) {
  std::mt19937 random(20224);
  const Words segments = {"a", "b", "c", "*"};
  for (int round = 0; round < 100; ++round) {
    std::map<std::string, PathPattern> patterns;
    for (auto i = 1 + random() % 6; i > 0; --i) {
      std::string text;
      for (auto j = 1 + random() % 3; j > 0; --j) text += "/" + segments[random() % segments.size()];
      if (random() % 3 == 0) text += "/**";
      patterns.emplace(text, *PathPattern::Parse(text));
    }
    std::vector<const PathPattern*> list;
    for (const auto& [text, pattern] : patterns) list.push_back(&pattern);
    const auto cells = PathCellsOf(list);
    ASSERT_TRUE(cells.has_value());
    std::set<std::vector<std::size_t>> known;
    const auto matching = [&](const http::CanonicalPath& path) {
      std::vector<std::size_t> matched;
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i]->Matches(path.segments())) matched.push_back(i);
      }
      return matched;
    };
    for (const PathCell& cell : *cells) {
      EXPECT_EQ(matching(cell.path), cell.matching) << cell.path.decoded();
      known.insert(cell.matching);
    }
    for (int i = 0; i < 400; ++i) {
      std::string text;
      for (auto j = 1 + random() % 5; j > 0; --j) text += "/" + Words{"a", "b", "c", "d"}[random() % 4];
      const std::vector<std::size_t> matched = matching(Path(text));
      EXPECT_TRUE(matched.empty() || known.contains(matched)) << text;
    }
  }
}

}  // namespace
}  // namespace lmbroker::policy
