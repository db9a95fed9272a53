#include "service/policy/parse.h"

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/policy_text.h"

namespace lmbroker::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The example of the design, section 7.
constexpr std::string_view kExample = R"(callers:
  - name: inventory
    identities: ["spiffe://corp.example/ns/inventory/sa/app", "k8s:inventory/app"]
    forward:
      - portal: acme
        credential: inventory-reader
        methods: [GET]
        paths: ["/device/devices", "/device/devices/**"]
    tokens:
      - portal: acme
        admins: [32]
        types: [LMV1, BEARER]
        verbs: [create, list, get, update, toggle, delete, rotate]
        max_ttl: 720h
    budget: { weight: 2, max_per_minute: 120 }
    max_tokens: 12
    expect:                                   # tests that travel with the rule
      - refuse: { portal: acme, method: DELETE, path: /device/devices/7 }
  - name: operators
    identities: ["dns:ops.corp.example"]
    operator: true
)";

std::shared_ptr<const Policy> Parse(std::string_view yaml) {
  Issues issues("policy.yaml");
  auto policy = ParsePolicy(yaml, Portals(), issues);
  for (const Issue& issue : issues.all()) ADD_FAILURE() << issue.ToString();
  return policy;
}

TEST(ParsePolicyTest, ExampleOfTheDesignIsRead) {
  const auto policy = Parse(kExample);
  ASSERT_NE(policy, nullptr);
  ASSERT_EQ(policy->callers.size(), 2U);
  const CallerRules& inventory = policy->callers[0];
  EXPECT_EQ(inventory.name, "inventory");
  ASSERT_EQ(inventory.forward.size(), 1U);
  EXPECT_EQ(inventory.forward[0].rule, "inventory.forward[0]");
  EXPECT_EQ(inventory.forward[0].credential.ToString(), "portals/acme/credentials/inventory-reader");
  EXPECT_THAT(inventory.forward[0].methods, ElementsAre(http::Method::kGet));
  EXPECT_EQ(inventory.forward[0].paths[1].text(), "/device/devices/**");
  ASSERT_EQ(inventory.tokens.size(), 1U);
  EXPECT_EQ(inventory.tokens[0].rule, "inventory.tokens[0]");
  EXPECT_THAT(inventory.tokens[0].admins, ElementsAre(32));
  EXPECT_THAT(inventory.tokens[0].types, ElementsAre(TokenType::kLmv1, TokenType::kBearer));
  EXPECT_EQ(inventory.tokens[0].verbs.size(), 7U);
  EXPECT_EQ(inventory.tokens[0].max_ttl, absl::Hours(720));
  EXPECT_EQ(inventory.budget.weight, 2);
  EXPECT_EQ(inventory.budget.max_per_minute, 120);
  EXPECT_EQ(inventory.max_tokens, 12);
  EXPECT_FALSE(policy->callers[1].max_tokens.has_value());
  EXPECT_FALSE(inventory.is_operator);
  EXPECT_TRUE(policy->callers[1].is_operator);
  EXPECT_EQ(policy->by_identity.at("k8s:inventory/app"), 0U);
  EXPECT_EQ(policy->by_name.at("operators"), 1U);
  EXPECT_EQ(policy->digest.size(), 64U);
}

TEST(ParsePolicyTest, EmptyFileIsAPolicyWithoutCallers) {
  for (const std::string_view text : {"", "# nobody yet\n", "---\n", "callers: []\n", "{}\n"}) {
    const auto policy = Parse(text);
    ASSERT_NE(policy, nullptr) << text;
    EXPECT_TRUE(policy->callers.empty());
  }
}

TEST(ParsePolicyTest, AbsentKeysTakeTheNarrowOrDocumentedDefault) {
  const auto policy = Parse(R"(callers:
  - name: a
    identities: ["dns:a.example"]
    forward: [{portal: acme, credential: c, methods: [GET, POST], paths: ["/a"]}]
    tokens: [{portal: globex, admins: any, verbs: [list]}]
)");
  ASSERT_NE(policy, nullptr);
  const ForwardGrant& forward = policy->callers[0].forward[0];
  EXPECT_EQ(forward.api, http::Api::kManagement);
  EXPECT_FALSE(forward.account_writes);
  EXPECT_FALSE(forward.share.has_value());
  const TokensGrant& tokens = policy->callers[0].tokens[0];
  EXPECT_TRUE(tokens.any_admin);
  EXPECT_THAT(tokens.types, ElementsAre(TokenType::kLmv1, TokenType::kBearer));
  EXPECT_FALSE(tokens.hand_over);
  EXPECT_FALSE(tokens.max_ttl.has_value());
}

TEST(ParsePolicyTest, EveryProblemIsListedAtItsLine) {
  EXPECT_THAT(ProblemsOf(R"(callers:
  - name: in ventory
    identities: ["inventory.example"]
    forward:
      - portal: initech
        credential: Reader
        methods: [get]
        pathz: ["/a"]
  - name: b
    identities: ["dns:b.example"]
    tokens:
      - portal: acme
        admins: [0]
        types: []
        verbs: []
)"),
              ElementsAre("policy.yaml:8: callers[0].forward[0].pathz: unknown key, did you mean paths?",
                          HasSubstr("policy.yaml:2: callers[0].name: must be 1 to 63"),
                          HasSubstr("policy.yaml:3: callers[0].identities[0]: must be spiffe://"),
                          HasSubstr("policy.yaml:7: callers[0].forward[0].methods[0]: must be GET"),
                          "policy.yaml:5: callers[0].forward[0].paths: must have at least one pattern",
                          "policy.yaml:5: callers[0].forward[0].portal: \"initech\" is no portal of the configuration",
                          HasSubstr("policy.yaml:6: callers[0].forward[0].credential: must be a credential id"),
                          HasSubstr("policy.yaml:13: callers[1].tokens[0].admins[0]: must be an LM user id"),
                          HasSubstr("policy.yaml:14: callers[1].tokens[0].types: must name a type"),
                          HasSubstr("policy.yaml:15: callers[1].tokens[0].verbs: must name at least one")));
}

struct Bad {
  std::string name;
  std::string yaml;
  std::string problem;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

class BadPolicy : public ::testing::TestWithParam<Bad> {};

TEST_P(BadPolicy, IsRefusedWithThisProblemAlone) {
  EXPECT_THAT(ProblemsOf(GetParam().yaml), ElementsAre(HasSubstr(GetParam().problem)));
}

// A file with one caller, to which `rest` is added.
std::string One(std::string_view rest) {
  return fmt::format("callers:\n  - name: a\n    identities: ['dns:a.example']\n    {}\n", rest);
}

std::string Forward(std::string_view grant) { return One(fmt::format("forward: [{{{}}}]", grant)); }
std::string Tokens(std::string_view grant) { return One(fmt::format("tokens: [{{{}}}]", grant)); }
std::string Expect(std::string_view entry) {
  return One(
      fmt::format("forward: [{{portal: acme, credential: c, methods: [GET], paths: ['/a/*']}}]\n"
                  "    expect: [{}]",
                  entry));
}

const std::vector<Bad> kBad = {
    {"NotAMap", "- name: a\n", "must be a map"},
    {"UnknownTopKey", "callerz: []\n", "callerz: unknown key, did you mean callers?"},
    {"CallersIsMap", "callers: {a: 1}\n", "callers: must be a list"},
    {"CallersIsNull", "callers:\n", "callers: has no value"},
    {"NameMissing", "callers: [{identities: ['dns:a.example']}]\n", "callers[0].name: must be"},
    {"NameLikeIdentity", "callers: [{name: 'dns:a', identities: ['dns:a.example']}]\n", "callers[0].name: must be"},
    {"NameTooLong", "callers: [{name: " + std::string(64, 'a') + ", identities: ['dns:a.example']}]\n",
     "name: must be"},
    {"NameTwice", "callers: [{name: a, identities: ['dns:a.example']}, {name: a, identities: ['dns:b.example']}]\n",
     "callers[1].name: another caller is named a"},
    {"IdentitiesMissing", "callers: [{name: a}]\n", "callers[0].identities: must name at least one"},
    {"IdentitiesEmpty", "callers: [{name: a, identities: []}]\n", "callers[0].identities: must name at least one"},
    {"IdentityUnderTwo",
     "callers: [{name: a, identities: ['dns:a.example']}, {name: b, identities: ['dns:a.example']}]\n",
     "callers[1].identities[0]: is an identity of callers[0], too"},
    {"IdentityTwice", "callers: [{name: a, identities: ['dns:a.example', 'dns:a.example']}]\n", "a second time"},
    {"IdentityBare", "callers: [{name: a, identities: ['a.example']}]\n", "identities[0]: must be spiffe://"},
    {"IdentityUpperCase", "callers: [{name: a, identities: ['dns:A.example']}]\n", "in lower case"},
    {"IdentityWildcard", "callers: [{name: a, identities: ['dns:*.example']}]\n", "without wildcard"},
    {"IdentityAny", "callers: [{name: a, identities: ['*']}]\n", "identities[0]: must be spiffe://"},
    {"IdentityServiceAccount", "callers: [{name: a, identities: ['k8s:a']}]\n", "k8s:NAMESPACE/SERVICEACCOUNT"},
    {"ForwardPortalMissing", Forward("credential: c, methods: [GET], paths: ['/a']"), "portal: must name a portal"},
    {"ForwardPortalUnknown", Forward("portal: initech, credential: c, methods: [GET], paths: ['/a']"), "is no portal"},
    {"ForwardPortalFullName", Forward("portal: portals/acme, credential: c, methods: [GET], paths: ['/a']"),
     "is no portal"},
    {"ForwardCredentialMissing", Forward("portal: acme, methods: [GET], paths: ['/a']"),
     "credential: must be a credential id"},
    {"ForwardCredentialFullName",
     Forward("portal: acme, credential: portals/acme/credentials/c, methods: [GET], paths: ['/a']"),
     "credential: must be"},
    {"ForwardMethodsMissing", Forward("portal: acme, credential: c, paths: ['/a']"), "methods: must name"},
    {"ForwardMethodsEmpty", Forward("portal: acme, credential: c, methods: [], paths: ['/a']"), "methods: must name"},
    {"ForwardMethodsScalar", Forward("portal: acme, credential: c, methods: GET, paths: ['/a']"),
     "methods: must be a list"},
    {"ForwardMethodLowerCase", Forward("portal: acme, credential: c, methods: [GET, post], paths: ['/a']"),
     "methods[1]: must be"},
    {"ForwardMethodAny", Forward("portal: acme, credential: c, methods: ['*'], paths: ['/a']"), "methods[0]: must be"},
    {"ForwardMethodConnect", Forward("portal: acme, credential: c, methods: [CONNECT], paths: ['/a']"),
     "methods[0]: must be"},
    {"ForwardPathsEmpty", Forward("portal: acme, credential: c, methods: [GET], paths: []"), "paths: must have"},
    {"ForwardPathRelative", Forward("portal: acme, credential: c, methods: [GET], paths: ['a']"), "paths[0]: The path"},
    {"ForwardPathDots", Forward("portal: acme, credential: c, methods: [GET], paths: ['/a/../b']"),
     "paths[0]: The path"},
    {"ForwardPathEncoded", Forward("portal: acme, credential: c, methods: [GET], paths: ['/%61']"),
     "paths[0]: The path"},
    {"ForwardPathRestInside", Forward("portal: acme, credential: c, methods: [GET], paths: ['/a/**/b']"),
     "has ** before its end"},
    {"ForwardPathStarInSegment", Forward("portal: acme, credential: c, methods: [GET], paths: ['/a/b*']"),
     "as a part of a segment"},
    {"ForwardApiUpperCase", Forward("portal: acme, credential: c, methods: [GET], paths: ['/a'], api: INGEST"),
     "api: must be management or ingest"},
    {"ForwardApiEmpty", Forward("portal: acme, credential: c, methods: [GET], paths: ['/a'], api: ''"),
     "api: must be management or ingest"},
    {"ForwardShareZero", Forward("portal: acme, credential: c, methods: [GET], paths: ['/a'], share: 0s"),
     "share: must be longer"},
    {"ForwardShareNegative", Forward("portal: acme, credential: c, methods: [GET], paths: ['/a'], share: -1s"),
     "share: must be a duration"},
    {"ForwardAccountWritesWord",
     Forward("portal: acme, credential: c, methods: [GET], paths: ['/a'], account_writes: yes"), "true or false"},
    {"ForwardUnknownKey", Forward("portal: acme, credential: c, methods: [GET], paths: ['/a'], host: x"),
     "host: unknown key"},
    {"TokensPortalUnknown", Tokens("portal: initech, admins: any, verbs: [list]"), "is no portal"},
    {"TokensAdminsMissing", Tokens("portal: acme, verbs: [list]"), "admins: must be a list of LM user ids, or any"},
    {"TokensAdminsEmpty", Tokens("portal: acme, admins: [], verbs: [list]"), "admins: must be a list"},
    {"TokensAdminsNumber", Tokens("portal: acme, admins: 32, verbs: [list]"), "admins: must be a list or any"},
    {"TokensAdminsAll", Tokens("portal: acme, admins: all, verbs: [list]"), "admins: must be a list or any"},
    {"TokensAdminsAnyAmongIds", Tokens("portal: acme, admins: [32, any], verbs: [list]"),
     "admins[1]: must be an LM user id"},
    {"TokensAdminZero", Tokens("portal: acme, admins: [0], verbs: [list]"), "admins[0]: must be"},
    {"TokensAdminNegative", Tokens("portal: acme, admins: [-1], verbs: [list]"), "admins[0]: must be"},
    {"TokensAdminLeadingZero", Tokens("portal: acme, admins: [032], verbs: [list]"), "admins[0]: must be"},
    {"TokensAdminTooLarge", Tokens("portal: acme, admins: [2147483648], verbs: [list]"), "admins[0]: must be"},
    {"TokensTypesEmpty", Tokens("portal: acme, admins: any, verbs: [list], types: []"), "types: must name a type"},
    {"TokensTypeLowerCase", Tokens("portal: acme, admins: any, verbs: [list], types: [lmv1]"),
     "types[0]: must be LMV1 or BEARER"},
    {"TokensVerbsMissing", Tokens("portal: acme, admins: any"), "verbs: must name"},
    {"TokensVerbsEmpty", Tokens("portal: acme, admins: any, verbs: []"), "verbs: must name"},
    {"TokensVerbUnknown", Tokens("portal: acme, admins: any, verbs: [list, revoke]"), "verbs[1]: must be"},
    {"TokensVerbAny", Tokens("portal: acme, admins: any, verbs: any"), "verbs: must be a list"},
    {"TokensMaxTtlZero", Tokens("portal: acme, admins: any, verbs: [list], max_ttl: 0s"), "max_ttl: must be longer"},
    {"TokensMaxTtlDays", Tokens("portal: acme, admins: any, verbs: [list], max_ttl: 30d"),
     "max_ttl: must be a duration"},
    {"TokensHandOverQuoted", Tokens("portal: acme, admins: any, verbs: [list], hand_over: 'true'"), "true or false"},
    {"BudgetWeightZero", One("budget: {weight: 0}"), "budget.weight: must be 1"},
    {"BudgetWeightHuge", One("budget: {weight: 1001}"), "budget.weight: must be 1"},
    {"BudgetPerMinuteZero", One("budget: {max_per_minute: 0}"), "budget.max_per_minute: must be"},
    {"MaxTokensZero", One("max_tokens: 0"), "max_tokens: must be at least 1"},
    {"MaxTokensNegative", One("max_tokens: -1"), "max_tokens: must be at least 1"},
    {"MaxTokensHuge", One("max_tokens: 99999999999"), "max_tokens: must be"},
    {"OperatorWord", One("operator: yes"), "operator: must be true or false"},
    {"ExpectEmpty", Expect("{}"), "expect[0]: must have either"},
    {"ExpectBoth",
     Expect("{allow: {portal: acme, method: GET, path: /a/1}, refuse: {portal: acme, method: PUT, path: /a}}"),
     "expect[0]: must have either"},
    {"ExpectPortalUnknown", Expect("{refuse: {portal: initech, method: GET, path: /a/1}}"),
     "refuse.portal: \"initech\" is no"},
    {"ExpectMethodUnknown", Expect("{refuse: {portal: acme, method: get, path: /a/1}}"), "refuse.method: must be"},
    {"ExpectPathNotPlain", Expect("{refuse: {portal: acme, method: GET, path: /a/}}"), "refuse.path: must be"},
    {"ExpectApiUnknown", Expect("{refuse: {portal: acme, api: rest, method: GET, path: /a/1}}"), "refuse.api: must be"},
    {"ExpectRefusalFails", Expect("{refuse: {portal: acme, method: GET, path: /a/1}}"),
     "policy.yaml:5: callers[0].expect[0].refuse: fails: the rule a.forward[0] allows it"},
    {"ExpectAllowFails", Expect("{allow: {portal: acme, method: PUT, path: /a/1}}"),
     "expect[0].allow: fails: it is refused, NO_GRANT; a.forward[0]: methods: has GET, call is PUT"},
    {"ExpectAllowOnOtherPortalFails", Expect("{allow: {portal: globex, method: GET, path: /a/1}}"),
     "fails: it is refused, NO_GRANT; a.forward[0]: portal: is acme, call is for globex"},
    {"ExpectAllowOnIngestFails", Expect("{allow: {portal: acme, api: ingest, method: GET, path: /a/1}}"),
     "api: is management"},
    {"ExpectAllowOfSecretFails", Expect("{allow: {portal: acme, method: GET, path: /a/apitokens}}"), "SECRET_ENDPOINT"},
    {"SecondDocument", "callers: []\n---\ncallers: []\n", "second document"},
    {"DuplicateKey", "callers: []\ncallers: []\n", "second time"},
    {"Alias", "callers: &x []\n", "anchors"},
    {"PythonTag", "callers: !!python/object:x []\n", "tags"},
};

INSTANTIATE_TEST_SUITE_P(Table, BadPolicy, ::testing::ValuesIn(kBad), [](const auto& test) { return test.param.name; });

TEST(ParsePolicyTest, ExpectationsThatHoldAreNoProblem) {
  EXPECT_THAT(ProblemsOf(Expect("{allow: {portal: acme, method: GET, path: /a/1}}, "
                                "{refuse: {portal: acme, method: GET, path: /a}}, "
                                "{refuse: {portal: acme, api: ingest, method: GET, path: /a/1}}, "
                                "{refuse: {portal: globex, method: GET, path: /a/1}}, "
                                "{refuse: {portal: acme, method: GET, path: /a/apitokens}}")),
              IsEmpty());
}

}  // namespace
}  // namespace lmbroker::policy
