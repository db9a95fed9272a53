#include "service/rpc/authenticate.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/identity/bad_token.h"
#include "service/identity/revocations.h"
#include "service/policy/parse.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::rpc {
namespace {

constexpr std::string_view kPolicy = R"(
callers:
  - name: inventory
    identities: ["dns:inventory.example", "k8s:inventory/app"]
  - name: night-desk
    identities: ["dns:desk.example"]
    operator: true
)";

std::optional<absl::StatusOr<std::string_view>> TokenOf(h2::RequestHead& head, const std::vector<std::string>& values) {
  head.Add(":path", "/lmbroker.v1.TokenService/GetToken");
  for (const std::string& value : values) head.Add("authorization", value);
  return BearerToken(head);
}

TEST(BearerTokenTest, ACallWithoutTheFieldHasNone) {
  h2::RequestHead head;
  EXPECT_FALSE(TokenOf(head, {}).has_value());
}

TEST(BearerTokenTest, TheTokenIsWhatFollowsTheSchemeInAnyLetterCase) {
  for (const char* scheme : {"Bearer ", "bearer ", "BEARER ", "bEaReR "}) {
    h2::RequestHead head;
    const auto token = TokenOf(head, {std::string(scheme) + "aaa.bbb.ccc"});
    ASSERT_TRUE(token.has_value()) << scheme;
    EXPECT_THAT(*token, IsOkAndHolds("aaa.bbb.ccc")) << scheme;
  }
}

TEST(BearerTokenTest, TwoAreBad) {
  h2::RequestHead head;
  const auto token = TokenOf(head, {"Bearer aaa", "Bearer aaa"});
  ASSERT_TRUE(token.has_value());
  EXPECT_THAT(*token, RefusedWith(Reason::kBadToken));
}

TEST(BearerTokenTest, AnotherSchemeIsBadAndIsNotRepeated) {
  for (const char* value : {"Basic aW52ZW50ZWQ=", "aaa.bbb.ccc", "Bearer", "Bearer\taaa", ""}) {
    h2::RequestHead head;
    const auto token = TokenOf(head, {value});
    ASSERT_TRUE(token.has_value()) << value;
    EXPECT_THAT(*token, RefusedWith(Reason::kBadToken)) << value;
    EXPECT_EQ(token->status().message().find("aW52"), std::string::npos);
  }
}

class AuthenticateTest : public testing::Test {
 protected:
  static std::shared_ptr<const policy::Policy> Policy() {
    Issues issues("policy.yaml");
    auto policy = policy::ParsePolicy(kPolicy, {*PortalName::FromId("acme", "portal")}, issues);
    for (const Issue& issue : issues.all()) ADD_FAILURE() << issue.ToString();
    return policy == nullptr ? std::make_shared<const policy::Policy>() : policy;
  }
  static Peer With(absl::StatusOr<std::vector<std::string>> identities) {
    return {.address = "ipv4:127.0.0.1:40000", .identities = std::move(identities), .certificate = "a leaf"};
  }
  static identity::Verdict TokenOf(std::string identity) {
    return std::make_shared<const identity::ServiceAccount>(identity::ServiceAccount{.identity = std::move(identity)});
  }
  void Revoke(const std::string& identity) {
    Issues issues("revoked.yaml");
    standing_.Put(identity::Revocations::Parse("identities: [\"" + identity + "\"]", issues));
    ASSERT_TRUE(issues.empty());
  }
  absl::StatusOr<Authenticated> Judge(const Peer& peer, const identity::Verdict* token = nullptr) {
    return Authenticate(peer, token, engine_, standing_);
  }

  FakeClock clock_;
  identity::Standing standing_{clock_};
  const policy::Engine engine_{Policy()};
};

TEST_F(AuthenticateTest, ACertificateAloneIsEnough) {
  const auto who = Judge(With(std::vector<std::string>{"dns:inventory.example"}));
  ASSERT_THAT(who, IsOk());
  EXPECT_EQ(who->caller.identity, "dns:inventory.example");
  EXPECT_EQ(who->caller.name, "inventory");
  EXPECT_EQ(who->caller.peer, "ipv4:127.0.0.1:40000");
  EXPECT_FALSE(who->caller.is_operator);
  EXPECT_EQ(who->certificate_identity, "");
}

TEST_F(AuthenticateTest, AnOperatorIsKnownAsOne) {
  const auto who = Judge(With(std::vector<std::string>{"dns:desk.example"}));
  ASSERT_THAT(who, IsOk());
  EXPECT_TRUE(who->caller.is_operator);
}

TEST_F(AuthenticateTest, ATokenAloneIsEnough) {
  const identity::Verdict token = TokenOf("k8s:inventory/app");
  const auto who = Judge(With(std::vector<std::string>()), &token);
  ASSERT_THAT(who, IsOk());
  EXPECT_EQ(who->caller.identity, "k8s:inventory/app");
  EXPECT_EQ(who->caller.name, "inventory");
  EXPECT_EQ(who->certificate_identity, "");
}

TEST_F(AuthenticateTest, WithBothTheCallerIsTheTokensAndTheCertificateIsRecorded) {
  const identity::Verdict token = TokenOf("k8s:inventory/app");
  const auto who = Judge(With(std::vector<std::string>{"dns:desk.example"}), &token);
  ASSERT_THAT(who, IsOk());
  EXPECT_EQ(who->caller.identity, "k8s:inventory/app");
  EXPECT_FALSE(who->caller.is_operator);
  EXPECT_EQ(who->certificate_identity, "dns:desk.example");
}

TEST_F(AuthenticateTest, ARefusedTokenIsNotMadeGoodByACertificate) {
  const identity::Verdict token = identity::BadToken("has expired");
  EXPECT_THAT(Judge(With(std::vector<std::string>{"dns:inventory.example"}), &token), RefusedWith(Reason::kBadToken));
}

TEST_F(AuthenticateTest, ACertificateOfTwoCallersIsNotMadeGoodByAToken) {
  const identity::Verdict token = TokenOf("k8s:inventory/app");
  EXPECT_THAT(Judge(With(std::vector<std::string>{"dns:inventory.example", "dns:desk.example"}), &token),
              RefusedWith(Reason::kNoIdentity));
}

TEST_F(AuthenticateTest, WithNeitherThereIsNoIdentity) {
  EXPECT_THAT(Judge(With(std::vector<std::string>())), RefusedWith(Reason::kNoIdentity));
}

TEST_F(AuthenticateTest, WhomThePolicyDoesNotKnowIsAuthenticatedWithoutAName) {
  const auto who = Judge(With(std::vector<std::string>{"dns:stranger.example"}));
  ASSERT_THAT(who, IsOk());
  EXPECT_EQ(who->caller.identity, "dns:stranger.example");
  EXPECT_EQ(who->caller.name, "");
}

TEST_F(AuthenticateTest, ACertificateWithBadNamesIsRefusedEvenWithAToken) {
  const Peer peer = With(Refuse(Reason::kNoIdentity, "The certificate names two workloads."));
  const identity::Verdict token = TokenOf("k8s:inventory/app");
  EXPECT_THAT(Judge(peer), RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(Judge(peer, &token), RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(JudgeStanding(peer, &token, standing_), RefusedWith(Reason::kNoIdentity));
}

TEST_F(AuthenticateTest, ARevokedCertificateIsRefusedEvenWithAGoodToken) {
  Revoke("dns:desk.example");
  const identity::Verdict token = TokenOf("k8s:inventory/app");
  EXPECT_THAT(Judge(With(std::vector<std::string>{"dns:desk.example"})), RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(Judge(With(std::vector<std::string>{"dns:desk.example"}), &token), RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(Judge(With(std::vector<std::string>{"dns:inventory.example"}), &token), IsOk());
}

TEST_F(AuthenticateTest, StandingIsLostWithOneRevokedIdentity) {
  const Peer peer = With(std::vector<std::string>{"dns:inventory.example"});
  const Peer without_certificate = With(std::vector<std::string>());
  const identity::Verdict token = TokenOf("k8s:inventory/app");
  EXPECT_THAT(JudgeStanding(peer, &token, standing_), IsOk());
  Revoke("k8s:inventory/app");
  EXPECT_THAT(JudgeStanding(peer, &token, standing_), RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(JudgeStanding(without_certificate, &token, standing_), RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(JudgeStanding(peer, nullptr, standing_), IsOk());
  Revoke("dns:inventory.example");
  EXPECT_THAT(JudgeStanding(peer, nullptr, standing_), RefusedWith(Reason::kNoIdentity));
  EXPECT_THAT(JudgeStanding(without_certificate, &token, standing_), IsOk());
}

}  // namespace
}  // namespace lmbroker::rpc
