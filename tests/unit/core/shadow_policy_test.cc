#include "service/core/shadow_policy.h"

#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/issues.h"
#include "service/core/policy_holder.h"
#include "service/policy/parse.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::core {
namespace {

using ::testing::HasSubstr;

const PortalName kAcme = *PortalName::FromId("acme", "");

std::shared_ptr<const policy::Engine> EngineOf(std::string_view yaml) {
  Issues issues("policy.yaml");
  auto policy = policy::ParsePolicy(yaml, {kAcme}, issues);
  EXPECT_TRUE(issues.empty()) << issues.Text();
  return std::make_shared<const policy::Engine>(std::move(policy));
}

constexpr std::string_view kReads = R"(callers:
  - name: app
    identities: ["dns:app.example"]
    forward: [{portal: acme, credential: reader, methods: [GET], paths: [/device/**]}]
    tokens: [{portal: acme, admins: [32], verbs: [get]}]
)";
constexpr std::string_view kWrites = R"(callers:
  - name: application
    identities: ["dns:app.example"]
    forward: [{portal: acme, credential: reader, methods: [POST], paths: ["/**"]}]
  - name: newcomer
    identities: ["dns:new.example"]
    forward: [{portal: acme, credential: reader, methods: [GET], paths: ["/**"]}]
)";

class ShadowPolicyTest : public ::testing::Test {
 protected:
  absl::Status Forward(std::string_view identity, std::string method, std::string path, std::string body = "") {
    return Forward(CallerOf({std::string(identity)}), std::move(method), std::move(path), std::move(body));
  }
  absl::Status Forward(const Caller& caller, std::string method, std::string path, std::string body = "") {
    auto request = http::CanonicalRequest::Make(
        {.method = std::move(method), .path = std::move(path), .body = std::move(body)}, {});
    EXPECT_THAT(request, IsOk());
    return holder_
        .Authorize(*holder_.Get(), caller, kAcme, std::nullopt,
                   std::make_shared<const http::CanonicalRequest>(*std::move(request)))
        .status();
  }
  Caller CallerOf(const std::vector<std::string>& identities) {
    auto caller = holder_.Get()->Identify(identities, "");
    EXPECT_THAT(caller, IsOk());
    return *std::move(caller);
  }
  void ExpectCounts(std::int64_t would_allow, std::int64_t would_refuse) {
    EXPECT_EQ(shadow_.state().would_allow, would_allow);
    EXPECT_EQ(shadow_.state().would_refuse, would_refuse);
  }
  // The lines about differences. The end of the test: the logger writes out what it has as it dies.
  int Lines() {
    logger_.reset();
    int lines = 0;
    const std::string text = log_.str();
    for (std::size_t at = text.find("shadow_difference"); at != std::string::npos;
         at = text.find("shadow_difference", at + 1)) {
      ++lines;
    }
    return lines;
  }

  FakeClock clock_;
  std::ostringstream log_;
  std::unique_ptr<Logger> logger_ = std::make_unique<Logger>(Logger::Options{}, log_);
  Metrics metrics_{{}};
  ShadowPolicy shadow_{{.clock = clock_, .logger = *logger_, .metrics = metrics_}};
  PolicyHolder holder_{EngineOf(kReads), absl::UnixEpoch(), &shadow_};
};

TEST_F(ShadowPolicyTest, WithoutAFileNothingIsCompared) {
  EXPECT_THAT(Forward("dns:app.example", "GET", "/device/devices"), IsOk());
  ExpectCounts(0, 0);
  EXPECT_EQ(shadow_.state().digest, "");
}

TEST_F(ShadowPolicyTest, DifferencesAreCountedAndDecideNothing) {
  shadow_.Swap(EngineOf(kWrites), clock_.Now());
  EXPECT_THAT(Forward("dns:app.example", "GET", "/device/devices"), IsOk());
  ExpectCounts(0, 1);
  EXPECT_THAT(Forward("dns:app.example", "POST", "/device/devices"), RefusedWith(Reason::kNoGrant));
  ExpectCounts(1, 1);
  EXPECT_THAT(Forward("dns:app.example", "DELETE", "/device/devices"), RefusedWith(Reason::kNoGrant));
  ExpectCounts(1, 1);
  EXPECT_THAT(metrics_.Text(), HasSubstr("lmbroker_shadow_differences_total{shadow=\"would_refuse\"} 1"));
  EXPECT_EQ(Lines(), 2);
  EXPECT_THAT(
      log_.str(),
      HasSubstr(
          R"("shadow":"would_refuse","caller":"app","identity":"dns:app.example","rule":"app.forward[0]","reason":"NO_GRANT")"));
  EXPECT_THAT(
      log_.str(),
      HasSubstr(
          R"("shadow":"would_allow","caller":"app","identity":"dns:app.example","rule":"application.forward[0]","reason":"NO_GRANT")"));
}

TEST_F(ShadowPolicyTest, TokenCallsAreCompared) {
  shadow_.Swap(EngineOf(kWrites), clock_.Now());
  const policy::TokenQuestion get{.verb = policy::Verb::kGet, .portal = kAcme, .admin = 32};
  EXPECT_THAT(holder_.Authorize(*holder_.Get(), CallerOf({"dns:app.example"}), get), IsOk());
  ExpectCounts(0, 1);
}

TEST_F(ShadowPolicyTest, AnIdentityThatOnlyTheShadowKnowsIsJudgedThere) {
  shadow_.Swap(EngineOf(kWrites), clock_.Now());
  EXPECT_THAT(Forward("dns:new.example", "GET", "/x"), RefusedWith(Reason::kNoGrant));
  ExpectCounts(1, 0);
  // Also when it is the second name of a certificate, whose first nobody knows.
  EXPECT_THAT(Forward(CallerOf({"dns:none.example", "dns:new.example"}), "GET", "/x"), RefusedWith(Reason::kNoGrant));
  ExpectCounts(2, 0);
  // Names of two of its callers are nobody, as in force.
  EXPECT_THAT(Forward(CallerOf({"dns:app.example", "dns:new.example"}), "GET", "/x"), RefusedWith(Reason::kNoGrant));
  ExpectCounts(2, 0);
}

TEST_F(ShadowPolicyTest, WhatIsRefusedForItsBodyWouldBeRefusedByTheShadow) {
  shadow_.Swap(EngineOf(R"(callers:
  - name: app
    identities: ["dns:app.example"]
    forward: [{portal: acme, credential: reader, methods: [PUT], paths: ["/setting/**"], account_writes: true}]
)"),
               clock_.Now());
  EXPECT_THAT(Forward("dns:app.example", "PUT", "/setting/admins/32", R"({"apiTokens":[]})"),
              RefusedWith(Reason::kNoGrant));
  ExpectCounts(0, 0);
}

TEST_F(ShadowPolicyTest, ALineForACallerAndRuleIsWrittenOnceAMinute) {
  shadow_.Swap(EngineOf(""), clock_.Now());
  for (int i = 0; i < 1000; ++i) EXPECT_THAT(Forward("dns:app.example", "GET", "/device/devices"), IsOk());
  clock_.Advance(absl::Seconds(61));
  for (int i = 0; i < 1000; ++i) EXPECT_THAT(Forward("dns:app.example", "GET", "/device/devices"), IsOk());
  ExpectCounts(0, 2000);
  EXPECT_EQ(Lines(), 2);
}

TEST_F(ShadowPolicyTest, ABadFileKeepsTheOldShadowAndIsSaid) {
  shadow_.Swap(EngineOf(kWrites), clock_.Now());
  shadow_.Keep("line 1");
  EXPECT_THAT(Forward("dns:app.example", "GET", "/device/devices"), IsOk());
  ExpectCounts(0, 1);
  EXPECT_EQ(shadow_.state().error, "line 1");
  shadow_.Swap(EngineOf(kReads), clock_.Now());
  ExpectCounts(0, 0);
  EXPECT_EQ(shadow_.state().error, "");
}

}  // namespace
}  // namespace lmbroker::core
