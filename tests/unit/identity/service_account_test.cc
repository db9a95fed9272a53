#include "service/identity/service_account.h"

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/test_tokens.h"

namespace lmbroker::identity {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
const TokenRules kRules{.issuer = "https://kubernetes.default.svc", .audience = "lmbroker"};

absl::StatusOr<ServiceAccount> Judge(const TestClaims& claims, absl::Time now = kNow) {
  return JudgeClaims(claims.ToJson(), kRules, now);
}

TEST(JudgeClaimsTest, NamesTheAccount) {
  const auto account = Judge(TestClaims(kNow));
  ASSERT_THAT(account, IsOk());
  EXPECT_EQ(account->identity, "k8s:inventory/app");
  EXPECT_EQ(account->user_name, "system:serviceaccount:inventory:app");
  EXPECT_EQ(account->uid, "u-1");
  EXPECT_EQ(account->pod_uid, "p-1");
  EXPECT_EQ(account->expire_time, kNow + absl::Hours(1));
}

TEST(JudgeClaimsTest, ATokenNeedNotBeBoundToAPod) {
  TestClaims claims(kNow);
  claims.kubernetes = R"({"namespace":"inventory","serviceaccount":{"name":"app","uid":"u-1"}})";
  const auto account = Judge(claims);
  ASSERT_THAT(account, IsOk());
  EXPECT_EQ(account->pod_uid, "");
}

TEST(JudgeClaimsTest, AudienceMayBeOneOfSeveral) {
  TestClaims claims(kNow);
  claims.aud = R"(["vault","lmbroker"])";
  EXPECT_THAT(Judge(claims), IsOk());
  claims.aud = R"("lmbroker")";
  EXPECT_THAT(Judge(claims), IsOk());
}

TEST(JudgeClaimsTest, TimesCountWithTheLeewayAndNotBeyond) {
  const TestClaims claims(kNow);
  const absl::Time end = kNow + absl::Hours(1);
  EXPECT_THAT(Judge(claims, end + absl::Seconds(29)), IsOk());
  EXPECT_THAT(Judge(claims, end + absl::Seconds(30)), RefusedWith(Reason::kBadToken));
  EXPECT_THAT(Judge(claims, kNow - absl::Seconds(30)), IsOk());
  EXPECT_THAT(Judge(claims, kNow - absl::Seconds(31)), RefusedWith(Reason::kBadToken));
}

TEST(JudgeClaimsTest, IssueInTheFutureIsRefusedByItself) {
  TestClaims claims(kNow);
  claims.iat = std::to_string(absl::ToUnixSeconds(kNow + absl::Minutes(1)));
  EXPECT_THAT(Judge(claims), RefusedWith(Reason::kBadToken));
  claims = TestClaims(kNow);
  claims.nbf = std::to_string(absl::ToUnixSeconds(kNow + absl::Minutes(1)));
  EXPECT_THAT(Judge(claims), RefusedWith(Reason::kBadToken));
}

struct Bad {
  std::string name;
  std::function<void(TestClaims&)> change;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

class BadClaims : public ::testing::TestWithParam<Bad> {};

TEST_P(BadClaims, AreABadToken) {
  TestClaims claims(kNow);
  GetParam().change(claims);
  const auto account = Judge(claims);
  EXPECT_THAT(account, RefusedWith(Reason::kBadToken));
  EXPECT_THAT(std::string(account.status().message()), ::testing::Not(::testing::HasSubstr("evil")));
}

Bad Account(std::string name, std::string kubernetes) {
  return {std::move(name), [kubernetes](TestClaims& c) { c.kubernetes = kubernetes; }};
}

const std::vector<Bad> kBad = {
    {"NoIssuer", [](auto& c) { c.iss = ""; }},
    {"OtherIssuer", [](auto& c) { c.iss = "\"https://evil\""; }},
    {"IssuerWithSlash", [](auto& c) { c.iss = "\"https://kubernetes.default.svc/\""; }},
    {"IssuerIsAList", [](auto& c) { c.iss = "[\"https://kubernetes.default.svc\"]"; }},
    {"IssuerTwice", [](auto& c) { c.more = R"(,"iss":"https://kubernetes.default.svc")"; }},
    {"NoAudience", [](auto& c) { c.aud = ""; }},
    {"AudienceEmpty", [](auto& c) { c.aud = "[]"; }},
    {"OtherAudience", [](auto& c) { c.aud = "[\"https://kubernetes.default.svc\"]"; }},
    {"AudienceInOtherCase", [](auto& c) { c.aud = "\"LMBroker\""; }},
    {"AudienceWithMore", [](auto& c) { c.aud = "\"lmbroker evil\""; }},
    {"AudienceOfTwoKinds", [](auto& c) { c.aud = "[\"lmbroker\",1]"; }},
    {"AudienceNested", [](auto& c) { c.aud = "[[\"lmbroker\"]]"; }},
    {"AudienceTwice", [](auto& c) { c.more = R"(,"aud":"evil")"; }},
    {"NoExpiry", [](auto& c) { c.exp = ""; }},
    {"Expired", [](auto& c) { c.exp = std::to_string(absl::ToUnixSeconds(kNow) - 31); }},
    {"ExpiryIsText", [](auto& c) { c.exp = "\"1900000000\""; }},
    {"ExpiryIsAFraction", [](auto& c) { c.exp = "1900000000.5"; }},
    {"ExpiryIsHuge", [](auto& c) { c.exp = "18446744073709551615"; }},
    {"ExpiryIsBeyondNumbers", [](auto& c) { c.exp = "1e400"; }},
    {"ExpiryIsNegative", [](auto& c) { c.exp = "-1"; }},
    {"ExpiryTwice", [](auto& c) { c.more = R"(,"exp":1900000000)"; }},
    {"NoNotBefore", [](auto& c) { c.nbf = ""; }},
    {"NoIssueTime", [](auto& c) { c.iat = ""; }},
    {"NoSubject", [](auto& c) { c.sub = ""; }},
    {"SubjectOfOtherNamespace", [](auto& c) { c.sub = "\"system:serviceaccount:evil:app\""; }},
    {"SubjectOfOtherName", [](auto& c) { c.sub = "\"system:serviceaccount:inventory:evil\""; }},
    {"SubjectIsAPerson", [](auto& c) { c.sub = "\"evil\""; }},
    Account("NoAccount", ""),
    Account("AccountIsText", "\"evil\""),
    Account("NoServiceAccount", R"({"namespace":"inventory"})"),
    Account("NoNamespace", R"({"serviceaccount":{"name":"app","uid":"u"}})"),
    Account("OtherNamespace", R"({"namespace":"evil","serviceaccount":{"name":"app","uid":"u"}})"),
    Account("NoName", R"({"namespace":"inventory","serviceaccount":{"uid":"u"}})"),
    Account("NoUid", R"({"namespace":"inventory","serviceaccount":{"name":"app"}})"),
    Account("NameWithSlash", R"({"namespace":"inventory","serviceaccount":{"name":"app/evil","uid":"u"}})"),
    Account("NamespaceWithSlash", R"({"namespace":"inventory/app","serviceaccount":{"name":"app","uid":"u"}})"),
    Account("NamespaceTwice",
            R"({"namespace":"evil","namespace":"inventory","serviceaccount":{"name":"app","uid":"u"}})"),
    Account("PodIsText", R"({"namespace":"inventory","serviceaccount":{"name":"app","uid":"u"},"pod":"evil"})"),
    Account("PodWithoutUid",
            R"({"namespace":"inventory","serviceaccount":{"name":"app","uid":"u"},"pod":{"name":"x"}})"),
    {"SubjectAndAccountWithColon",
     [](auto& c) {
       c.sub = "\"system:serviceaccount:inventory:app:x\"";
       c.kubernetes = R"({"namespace":"inventory:app","serviceaccount":{"name":"x","uid":"u"}})";
     }},
    {"NotUtf8", [](auto& c) { c.more = ",\"x\":\"\xC0\xAF\""; }},
    {"Cut", [](auto& c) { c.more = ",\"x\":"; }},
    {"NestedDeep", [](auto& c) { c.more = R"(,"x":[[[[[[[[[[1]]]]]]]]]])"; }},
};

INSTANTIATE_TEST_SUITE_P(Table, BadClaims, ::testing::ValuesIn(kBad), [](const auto& test) { return test.param.name; });

TEST(JudgeClaimsTest, WhatIsNoObjectIsABadToken) {
  for (const char* text : {"", "null", "[]", "\"x\"", "1", "{", "{}x"}) {
    EXPECT_THAT(JudgeClaims(text, kRules, kNow), RefusedWith(Reason::kBadToken)) << text;
  }
}

}  // namespace
}  // namespace lmbroker::identity
