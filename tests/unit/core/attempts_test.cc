#include "service/core/attempts.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/core/forwarder.h"
#include "service/policy/parse.h"
#include "tests/fakes/fake_http_client.h"
#include "tests/unit/core/core_fixture.h"

namespace lmbroker::core {
namespace {

constexpr std::string_view kPolicy = R"(
callers:
  - name: inventory
    identities: ["dns:inventory"]
    forward:
      - portal: acme
        credential: reader
        methods: [GET, POST]
        paths: ["/device/**"]
)";

class AttemptsTest : public CoreTest {
 protected:
  AttemptsTest() {
    Issues issues("policy.yaml");
    auto policy = policy::ParsePolicy(kPolicy, {Acme()}, issues);
    EXPECT_TRUE(issues.empty());
    policy_.Swap(std::make_shared<const policy::Engine>(std::move(policy)), clock_.Now());
    EXPECT_THAT(custody_->Import({.name = Credential("reader"),
                                  .type = TokenType::kLmv1,
                                  .access_id = "readerAccessId123456",
                                  .create_time = clock_.Now(),
                                  .secret = {}},
                                 Secret("lma_Reader(Key)For{Tests}=987654321+^~")),
                IsOk());
  }

  void Begin(Call& call, const std::string& method, bool idempotent = false) {
    auto request = http::CanonicalRequest::Make({.method = method, .path = "/device/devices"}, {});
    ASSERT_THAT(request, IsOk());
    Start(forwarder_.Forward(call.context(),
                             {.portal = Acme(),
                              .credential = std::nullopt,
                              .request = std::make_shared<const http::CanonicalRequest>(*std::move(request)),
                              .idempotent = idempotent}),
          [this](absl::StatusOr<ForwardReply> reply) { result_ = std::move(reply); });
    scheduler_.RunDue();
  }
  void Lose(http::Delivery delivery) { client_.Fail(Refuse(Reason::kPortalUnreachable, "Lost."), delivery); }

  http::FakeHttpClient client_{clock_};
  Attempts attempts_{{.clock = clock_, .client = client_, .budgets = budgets_, .most_reply_bytes = 1024}};
  Forwarder forwarder_{{.scheduler = scheduler_,
                        .policy = policy_,
                        .custody = *custody_,
                        .attempts = attempts_,
                        .budgets = budgets_,
                        .rates = rates_,
                        .reads = reads_,
                        .most_reply_bytes = 1024}};
  std::optional<absl::StatusOr<ForwardReply>> result_;
};

TEST_F(AttemptsTest, RepeatsAreBounded) {
  const auto call = As("inventory");
  Begin(*call, "GET");
  while (client_.pending() > 0) Lose(http::Delivery::kMaybeSent);
  EXPECT_EQ(client_.sent(), 2U);
  EXPECT_THAT(*result_, RefusedWith(Reason::kPortalUnreachable));
}

// Law 6.
TEST_F(AttemptsTest, MutationThatMayHaveArrivedIsSentOnce) {
  const auto call = As("inventory");
  Begin(*call, "POST");
  Lose(http::Delivery::kMaybeSent);
  EXPECT_EQ(client_.sent(), 1U);
  EXPECT_THAT(*result_, RefusedWith(Reason::kOutcomeUnknown));
}

TEST_F(AttemptsTest, RepeatTakesItsOwnPartOfTheRateLimit) {
  const auto call = As("inventory");
  Begin(*call, "POST", /*idempotent=*/true);
  Lose(http::Delivery::kMaybeSent);
  client_.Answer({.status = 200, .body = "{}"});
  ASSERT_THAT(*result_, IsOk());
  EXPECT_EQ((*result_)->attempts, 2);
  EXPECT_EQ(budgets_.Of(Acme()).at(0).budget.remaining, budgets_.Of(Acme()).at(0).budget.limit - 2);
}

}  // namespace
}  // namespace lmbroker::core
