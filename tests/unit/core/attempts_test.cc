#include "service/core/attempts.h"

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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
          [this](absl::StatusOr<ForwardReply> reply) {
            result_ = std::move(reply);
            ++ended_;
          });
    scheduler_.RunDue();
  }
  void Lose(http::Delivery delivery) { client_.Fail(Refuse(Reason::kPortalUnreachable, "Lost."), delivery); }

  http::FakeHttpClient client_{clock_};
  Attempts attempts_{AttemptParts(client_, 1024)};
  Forwarder forwarder_{ForwarderParts(attempts_, 1024)};
  std::optional<absl::StatusOr<ForwardReply>> result_;
  int ended_ = 0;
};

TEST_F(AttemptsTest, NothingIsSignedOnceTheLeaseHasEndedThoughTheCallBeganBefore) {
  ASSERT_THAT(store_.BeginCreate({.marker = "m", .admin = Admin(), .hand_over = true, .create_time = clock_.Now()},
                                 std::nullopt),
              IsOk());
  ASSERT_THAT(store_.CommitCreate("m",
                                  {.name = Token41(),
                                   .custody = store::TokenCustody::kHandedOver,
                                   .create_time = clock_.Now(),
                                   .expire_time = clock_.Now() + absl::Seconds(10)},
                                  std::nullopt),
              IsOk());
  ASSERT_THAT(custody_->Remove(Credential("reader")), IsOk());
  ASSERT_THAT(
      custody_->Import({.name = Credential("reader"), .token = Token41(), .create_time = clock_.Now(), .secret = {}},
                       Secret("lma_Reader(Key)For{Tests}=987654321+^~")),
      IsOk());
  const auto call = As("inventory");
  Begin(*call, "GET");
  EXPECT_EQ(client_.sent(), 1U);
  scheduler_.Advance(absl::Seconds(10));
  Lose(http::Delivery::kMaybeSent);
  scheduler_.Advance(absl::Seconds(1));
  EXPECT_EQ(client_.sent(), 1U);
  EXPECT_EQ(ended_, 1);
  EXPECT_THAT(*result_, RefusedWith(Reason::kPortalUnreachable));
  const auto later = As("inventory");
  Begin(*later, "GET");
  EXPECT_THAT(*result_, RefusedWith(Reason::kCredentialDisabled));
}

// Callers whose portal does not answer would fill the heap with signatures, and a full one ends the process. In a
// process of its own: the heap is for the whole process.
TEST_F(AttemptsTest, SignaturesInFlightDoNotFillLockedMemory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        ASSERT_THAT(OpenSecureHeap(32768, 32768), IsOk());
        std::vector<Secret> others;
        for (const std::size_t size : {16384U, 8192U, 4096U, 2048U}) others.push_back(Secret::WithSize(size));
        const auto fits = As("inventory");
        Begin(*fits, "GET");
        EXPECT_EQ(client_.sent(), 1U);
        others.push_back(Secret::WithSize(1024));
        const auto does_not = As("inventory");
        Begin(*does_not, "GET");
        EXPECT_THAT(*result_, RefusedWith(Reason::kQueueFull));
        EXPECT_EQ(client_.sent(), 1U);
        std::_Exit(HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(AttemptsTest, RepeatsAreBounded) {
  const auto call = As("inventory");
  Begin(*call, "GET");
  while (client_.pending() > 0) {
    Lose(http::Delivery::kMaybeSent);
    scheduler_.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(client_.sent(), 4U);
  EXPECT_THAT(*result_, RefusedWith(Reason::kPortalUnreachable));
}

TEST_F(AttemptsTest, RepeatsWaitLongerEachTimeAndEndWithTheCaller) {
  const auto call = As("inventory");
  Begin(*call, "GET");
  Lose(http::Delivery::kMaybeSent);
  EXPECT_EQ(client_.pending(), 1U);  // at once
  Lose(http::Delivery::kMaybeSent);
  EXPECT_EQ(client_.pending(), 0U);
  call->Cancel();
  scheduler_.RunDue();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(client_.sent(), 2U);
  EXPECT_EQ(scheduler_.timers(), 0U);
}

TEST_F(AttemptsTest, NoRepeatBeginsBehindTheDeadline) {
  const auto call = As("inventory");
  Begin(*call, "GET");
  clock_.Advance(absl::Seconds(29));
  client_.Answer({.status = 503, .headers = {{"Retry-After", "2"}}, .body = "{}"});
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ((*result_)->status, 503);
  EXPECT_EQ((*result_)->attempts, 1);
}

TEST_F(AttemptsTest, EveryAttemptIsSignedAnew) {
  const auto call = As("inventory");
  Begin(*call, "GET");
  const std::string first(client_.request().authorization().Reveal());
  client_.Answer({.status = 503, .body = "{}"});
  scheduler_.Advance(absl::Seconds(1));
  ASSERT_EQ(client_.pending(), 1U);
  EXPECT_NE(client_.request().authorization().Reveal(), first);
  client_.Answer({.status = 200, .body = "{}"});
  EXPECT_EQ((*result_)->attempts, 2);
}

TEST_F(AttemptsTest, PassingAnswerIsHandedOnToACallThatMayNotBeRepeated) {
  const auto call = As("inventory");
  Begin(*call, "POST");
  client_.Answer({.status = 503, .body = "{}"});
  EXPECT_EQ((*result_)->status, 503);
  EXPECT_EQ(client_.sent(), 1U);
}

TEST_F(AttemptsTest, WhatThePortalNeverReceivedIsRepeatedEvenWhenItMayNotBe) {
  const auto call = As("inventory");
  Begin(*call, "POST");
  Lose(http::Delivery::kNotSent);
  scheduler_.Advance(absl::Seconds(1));
  client_.Answer({.status = 200, .body = "{}"});
  EXPECT_EQ((*result_)->attempts, 2);
}

// A defect somewhere above must not sign with another key than the policy named, nor count for another portal.
TEST_F(AttemptsTest, ACallThatDoesNotFitItsKeyOrItsClaimIsNotSent) {
  const auto engine = policy_.Get();
  auto made = http::CanonicalRequest::Make({.method = "GET", .path = "/device/devices"}, {});
  const auto request = std::make_shared<const http::CanonicalRequest>(*std::move(made));
  const auto call =
      engine->Authorize({.identity = "dns:inventory", .name = "inventory"}, Acme(), std::nullopt, request);
  ASSERT_THAT(call, IsOk());
  const auto fitting = *custody_->Find(Credential("reader"));
  const auto other_key = *custody_->Find(Credential("root"));
  const http::CanonicalRequest other_request = *request;
  const std::string id = "request-1";
  struct Case {
    const Custody::Entry& entry;
    portal::BudgetClaim claim;
  };
  const PortalName acme = Acme();
  const PortalName elsewhere = *PortalName::FromId("elsewhere", "");
  const std::stop_token never;
  const auto claim = [&](const PortalName& portal, const http::CanonicalRequest& asked) {
    return portal::BudgetClaim{
        .portal = portal, .request = asked, .deadline = clock_.Monotonic() + absl::Seconds(9), .cancelled = never};
  };
  const Case cases[] = {{*other_key, claim(acme, *request)},
                        {*fitting, claim(elsewhere, *request)},
                        {*fitting, claim(acme, other_request)}};
  for (const Case& mixed : cases) {
    std::optional<Dispatched> sent;
    Start(attempts_.Send({.call = *call,
                          .entry = mixed.entry,
                          .request_id = id,
                          .deadline = clock_.Monotonic() + absl::Seconds(9),
                          .cancelled = {},
                          .claim = mixed.claim},
                         std::nullopt),
          [&](Dispatched ended) { sent = std::move(ended); });
    scheduler_.RunDue();
    ASSERT_TRUE(sent.has_value());
    EXPECT_THAT(sent->result.response, RefusedWith(Reason::kInternal));
    EXPECT_FALSE(sent->seen);
  }
  EXPECT_EQ(client_.sent(), 0U);
}

TEST_F(AttemptsTest, RefusedKeyIsQuarantinedAfterThreeRefusals) {
  for (int i = 0; i < 3; ++i) {
    const auto call = As("inventory");
    Begin(*call, "GET");
    client_.Answer({.status = 401, .body = "{}"});
    EXPECT_EQ((*result_)->status, 401);
  }
  const auto call = As("inventory");
  Begin(*call, "GET");
  EXPECT_THAT(*result_, RefusedWith(Reason::kCredentialQuarantined));
  EXPECT_EQ(client_.sent(), 3U);
  EXPECT_EQ(custody_->Describe(Credential("reader"))->state, store::CredentialState::kQuarantined);

  scheduler_.Advance(absl::Seconds(5));
  const auto canary = As("inventory");
  Begin(*canary, "GET");
  client_.Answer({.status = 200, .body = "{}"});
  EXPECT_EQ((*result_)->status, 200);
  EXPECT_EQ(custody_->Describe(Credential("reader"))->state, store::CredentialState::kActive);
}

// The reply to the first three decides for all others.
TEST_F(AttemptsTest, StormWithAWrongKeySendsThree) {
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 20; ++i) {
    calls.push_back(As("inventory"));
    Begin(*calls.back(), "GET");
  }
  EXPECT_EQ(client_.pending(), 3U);
  while (client_.pending() > 0) {
    client_.Answer({.status = 401, .body = "{}"});
    scheduler_.RunDue();
  }
  EXPECT_EQ(client_.sent(), 3U);
  EXPECT_EQ(ended_, 20);
}

TEST_F(AttemptsTest, WhoWaitsForTheFirstAnswersGoesOnWhenTheKeyIsTaken) {
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 20; ++i) {
    calls.push_back(As("inventory"));
    Begin(*calls.back(), "GET");
  }
  client_.Answer({.status = 200, .body = "{}"});
  scheduler_.RunDue();
  EXPECT_EQ(client_.pending(), 19U);
  while (client_.pending() > 0) client_.Answer({.status = 200, .body = "{}"});
  EXPECT_EQ(ended_, 20);
}

TEST_F(AttemptsTest, WhoWaitsForTheFirstAnswersMayLeaveAndHasADeadline) {
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 5; ++i) {
    calls.push_back(As("inventory"));
    Begin(*calls.back(), "GET");
  }
  calls[4]->Cancel();
  scheduler_.RunDue();
  EXPECT_THAT(*result_, StatusIs(absl::StatusCode::kCancelled));
  scheduler_.Advance(absl::Seconds(30));
  EXPECT_THAT(*result_, RefusedWith(Reason::kDeadline));
  EXPECT_EQ(ended_, 2);
  client_.ExpireDue();
  EXPECT_EQ(ended_, 5);
  EXPECT_EQ(scheduler_.timers(), 0U);
}

TEST_F(AttemptsTest, OpenBreakerRefusesBeforeAnythingIsWritten) {
  for (int i = 0; i < 20; ++i) {
    const auto call = As("inventory");
    Begin(*call, "POST");
    client_.Answer({.status = 500, .body = "{}"});
  }
  const std::size_t written = audit_log_.records().size();
  const auto call = As("inventory");
  Begin(*call, "POST");
  EXPECT_THAT(*result_, RefusedWith(Reason::kBreakerOpen));
  EXPECT_EQ(audit_log_.records().size(), written);
  EXPECT_EQ(client_.sent(), 20U);

  scheduler_.Advance(absl::Seconds(1));
  Begin(*call, "POST");
  client_.Answer({.status = 200, .body = "{}"});
  EXPECT_EQ((*result_)->status, 200);
  EXPECT_EQ(healths_.Of(Acme())->breaker.state(), portal::Breaker::State::kClosed);
}

TEST_F(AttemptsTest, SignatureCarriesThePortalsTime) {
  const auto call = As("inventory");
  Begin(*call, "GET");
  // Refused, and its clock is an hour ahead: signed again at once, with that time.
  client_.Answer({.status = 401, .headers = {{"Date", "Tue, 14 Nov 2023 23:13:20 GMT"}}, .body = "{}"});
  scheduler_.RunDue();
  ASSERT_EQ(client_.pending(), 1U);
  EXPECT_THAT(std::string(client_.request().authorization().Reveal()), testing::HasSubstr(":1700003600500"));
  client_.Answer({.status = 200, .body = "{}"});
  EXPECT_EQ((*result_)->attempts, 2);
}

TEST_F(AttemptsTest, CallsThatWereSignedBeforeTheSkewWasKnownAreNotHeldAgainstTheKey) {
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < 3; ++i) {
    calls.push_back(As("inventory"));
    Begin(*calls.back(), "POST");
  }
  clock_.Advance(absl::Milliseconds(30));
  for (int i = 0; i < 3; ++i) {
    client_.Answer({.status = 401, .headers = {{"Date", "Tue, 14 Nov 2023 23:13:20 GMT"}}, .body = "{}"});
  }
  const auto call = As("inventory");
  Begin(*call, "POST");
  client_.Answer({.status = 200, .body = "{}"});
  EXPECT_EQ((*result_)->status, 200);
}

// A portal that tells another time with each refusal earns no more tries for that.
TEST_F(AttemptsTest, ChangingTimesDoNotLiftTheGuard) {
  for (int hour = 10; hour < 13; ++hour) {
    const auto call = As("inventory");
    Begin(*call, "POST");
    clock_.Advance(absl::Seconds(1));
    const std::string date = "Tue, 14 Nov 2023 " + std::to_string(hour) + ":00:00 GMT";
    client_.Answer({.status = 401, .headers = {{"Date", date}}, .body = "{}"});
  }
  const auto call = As("inventory");
  Begin(*call, "POST");
  EXPECT_THAT(*result_, RefusedWith(Reason::kCredentialQuarantined));
}

TEST_F(AttemptsTest, StepOfTheLocalClockDoesNotBreakSigning) {
  for (int i = 0; i < 2; ++i) {
    const auto call = As("inventory");
    Begin(*call, "GET");
    client_.Answer({.status = 200, .headers = {{"Date", "Tue, 14 Nov 2023 22:13:20 GMT"}}, .body = "{}"});
  }
  clock_.StepTo(clock_.Now() + absl::Hours(5));
  const auto call = As("inventory");
  Begin(*call, "GET");
  EXPECT_THAT(std::string(client_.request().authorization().Reveal()), testing::HasSubstr(":1700000000500"));
  client_.Answer({.status = 200, .body = "{}"});
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
