#include "service/core/policy_questions.h"

#include <memory>
#include <set>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/crypto/digest.h"
#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PolicyQuestionsTest : public CoreTest {
 protected:
  static ForwardCall CallOf(std::string method, std::string path, std::string body = "") {
    auto request = http::CanonicalRequest::Make(
        {.method = std::move(method), .path = std::move(path), .query = {{"filter", "a b"}}, .body = std::move(body)},
        {});
    EXPECT_THAT(request, IsOk());
    return {.portal = Acme(), .request = std::make_shared<const http::CanonicalRequest>(*std::move(request))};
  }

  void Allow(std::string_view credential) {
    policy::Policy policy = holder_.Get()->policy();
    policy.callers[1].forward.push_back({.rule = "inventory.forward[0]",
                                         .portal = Acme(),
                                         .credential = Credential(credential),
                                         .methods = {http::Method::kPost},
                                         .paths = {*policy::PathPattern::Parse("/device/**")}});
    holder_.Swap(std::make_shared<const policy::Engine>(std::make_shared<const policy::Policy>(std::move(policy))),
                 clock_.Now());
  }
  void Import(std::string_view id, TokenType type) {
    EXPECT_THAT(
        custody_->Import(
            {.name = Credential(id), .type = type, .access_id = "access", .create_time = clock_.Now(), .secret = {}},
            Secret("the-secret-of-it")),
        IsOk());
  }

  PolicyHolder& holder_ = policy_;
  PolicyQuestions questions_{{.policy = policy_, .portals = portals_, .custody = *custody_, .healths = healths_}};
};

TEST_F(PolicyQuestionsTest, SignatureIsExplainedWithTheBodyAsItsDigest) {
  Import("reader", TokenType::kLmv1);
  Allow("reader");
  const auto call = As("inventory");
  const auto explained = questions_.ExplainSignature(call->context(), CallOf("POST", "/device/ä x", "the body"));
  ASSERT_THAT(explained, IsOk());
  EXPECT_EQ(explained->string_to_sign,
            "POST" + std::to_string(absl::ToUnixMillis(clock_.Now())) + crypto::Sha256Hex("the body") + "/device/ä x");
  EXPECT_EQ(explained->signed_path, "/device/ä x");
  EXPECT_EQ(explained->wire_target, "/santaba/rest/device/%C3%A4%20x?filter=a%20b");
  EXPECT_FALSE(explained->clock_skew.has_value());
  const audit::Record& record = call->context().audit.fields();
  EXPECT_EQ(record.rule, "inventory.forward[0]");
  EXPECT_EQ(record.credential, Credential("reader").ToString());
  EXPECT_EQ(record.path, "/device/ä x");
  EXPECT_TRUE(call->context().audit.has_intent());
}

TEST_F(PolicyQuestionsTest, ABearerTokenSignsNothing) {
  Import("reader", TokenType::kBearer);
  Allow("reader");
  const auto explained = questions_.ExplainSignature(As("inventory")->context(), CallOf("POST", "/device/x"));
  ASSERT_THAT(explained, IsOk());
  EXPECT_EQ(explained->string_to_sign, "");
}

TEST_F(PolicyQuestionsTest, SignatureIsRefusedAsForwardWouldBe) {
  Allow("reader");
  EXPECT_THAT(questions_.ExplainSignature(As("inventory")->context(), CallOf("POST", "/other")),
              RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(questions_.ExplainSignature(As("stranger")->context(), CallOf("POST", "/device/x")),
              RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(questions_.ExplainSignature(As("operators")->context(), CallOf("GET", "/setting/apitokens")),
              RefusedWith(Reason::kSecretEndpoint));
  EXPECT_THAT(questions_.ExplainSignature(As("operators")->context(),
                                          CallOf("PUT", "/setting/admins/1", R"({"apiTokens":[]})")),
              RefusedWith(Reason::kSecretEndpoint));
  EXPECT_THAT(questions_.ExplainSignature(As("inventory")->context(), CallOf("POST", "/device/x")),
              RefusedWith(Reason::kUnknownCredential));
}

TEST_F(PolicyQuestionsTest, AnOperatorAsksWithoutAGrant) {
  const auto call = As("operators");
  const auto explained = questions_.ExplainSignature(call->context(), CallOf("DELETE", "/device/x"));
  ASSERT_THAT(explained, IsOk());
  EXPECT_THAT(explained->string_to_sign, HasSubstr("DELETE"));
  EXPECT_EQ(call->context().audit.fields().rule, "operators.operator");
  ForwardCall nowhere = CallOf("GET", "/device/x");
  nowhere.portal = *PortalName::FromId("nowhere", "");
  EXPECT_THAT(questions_.ExplainSignature(As("operators")->context(), nowhere), RefusedWith(Reason::kUnknownPortal));
  EXPECT_THAT(questions_.ExplainSignature(As("inventory")->context(), nowhere), RefusedWith(Reason::kNoGrant));
}

// Nothing that is shown is, or holds, what the signer would send.
TEST_F(PolicyQuestionsTest, NoUsableSignatureIsShown) {
  const auto explained = questions_.ExplainSignature(As("operators")->context(), CallOf("GET", "/device/x"));
  ASSERT_THAT(explained, IsOk());
  const std::string all = explained->string_to_sign + explained->signed_path + explained->wire_target;
  EXPECT_THAT(all, AllOf(Not(HasSubstr("LMv1 ")), Not(HasSubstr(std::string(kMasterKey)))));
}

TEST_F(PolicyQuestionsTest, GrantsAreListedForTheCallerItselfAndForOperators) {
  for (const char* who : {"inventory", "operators"}) {
    const auto grants = questions_.Grants(As(who)->context(), "inventory");
    ASSERT_THAT(grants, IsOk()) << who;
    ASSERT_NE(grants->rules, nullptr);
    EXPECT_EQ(grants->rules->tokens.size(), 2U);
  }
  EXPECT_THAT(questions_.Grants(As("bearers")->context(), "inventory"), RefusedWith(Reason::kNoGrant));
  EXPECT_THAT(questions_.Grants(As("bearers")->context(), "nobody"), RefusedWith(Reason::kNoGrant));
  const auto nobody = questions_.Grants(As("operators")->context(), "nobody");
  ASSERT_THAT(nobody, IsOk());
  EXPECT_EQ(nobody->rules, nullptr);
}

TEST_F(PolicyQuestionsTest, APolicyThatWouldNotLoadIsRefusedWithItsProblemsBounded) {
  std::string yaml = "callers:\n";
  for (int i = 0; i < 1000; ++i) yaml += "  - {nam: " + std::string(100, 'x') + "}\n";
  const auto diff = questions_.Diff(As("operators")->context(), yaml);
  ASSERT_THAT(diff, RefusedWith(Reason::kFieldInvalid));
  const std::string problems = MetadataOf(diff.status()).at("problems");
  EXPECT_THAT(problems, HasSubstr("policy_yaml:2: callers[0]"));
  EXPECT_LT(problems.size(), 2100U);
  EXPECT_THAT(questions_.Diff(As("operators")->context(), "callers: []"), IsOk());
}

}  // namespace
}  // namespace lmbroker::core
