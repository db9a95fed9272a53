#include "service/portal/budgets.h"

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <gtest/gtest.h>

#include "service/base/task.h"
#include "service/portal/budget_acquire.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_scheduler.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::portal {
namespace {

using absl::Seconds;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr absl::Duration kMinute = absl::Minutes(1);

PortalName Acme() { return *PortalName::FromId("acme", "portal"); }

std::vector<http::NameValue> Headers(int limit, int remaining, int window) {
  return {{"X-Rate-Limit-Limit", std::to_string(limit)},
          {"X-Rate-Limit-Remaining", std::to_string(remaining)},
          {"X-Rate-Limit-Window", std::to_string(window)}};
}

// One portal that allows two GETs of /a in a minute, as its operator says.
class BudgetsTest : public testing::Test {
 protected:
  // One request, from its claim to its permit or refusal.
  struct Call {
    std::string caller;
    std::stop_source stop;
    std::stop_token token = stop.get_token();
    std::optional<http::CanonicalRequest> request;
    std::optional<absl::StatusOr<Permit>> result;

    bool waits() const { return !result.has_value(); }
    bool may_go() const { return result.has_value() && result->ok(); }
  };
  struct Wish {
    std::string caller = "a";
    int weight = 1;
    Priority priority = Priority::kNormal;
    absl::Duration time = Seconds(30);
    std::string path = "/a";
    std::string body;
    absl::Duration longest_wait = absl::InfiniteDuration();
  };

  Call& Ask(const Wish& wish) {
    Call& call = calls_.emplace_back();
    call.caller = wish.caller;
    call.request = *http::CanonicalRequest::Make({.method = wish.body.empty() ? "GET" : "POST",
                                                  .path = wish.path,
                                                  .query = {},
                                                  .headers = {},
                                                  .body = wish.body},
                                                 {});
    auto now = budgets_->Acquire({.portal = Acme(),
                                  .request = *call.request,
                                  .caller = call.caller,
                                  .weight = wish.weight,
                                  .priority = wish.priority,
                                  .deadline = clock_.Monotonic() + wish.time,
                                  .longest_wait = wish.longest_wait,
                                  .cancelled = call.token},
                                 [&call](absl::StatusOr<Permit> later) { call.result = std::move(later); });
    if (now.has_value()) call.result = *std::move(now);
    return call;
  }

  // A request that goes at once, and is answered at once.
  void Spend(const Wish& wish) {
    Call& call = Ask(wish);
    ASSERT_TRUE(call.may_go());
    (*call.result)->Lost();
  }
  void SpendAll() {
    Spend({});
    Spend({});
  }

  std::size_t Waiting() const {
    std::size_t waiting = 0;
    for (const BudgetState& state : budgets_->Of(Acme())) waiting += state.waiting;
    return waiting;
  }

  void Make(const BudgetBounds& bounds) {
    budgets_.emplace(BudgetTable::Parts{.clock = clock_, .scheduler = scheduler_, .metrics = metrics_},
                     std::map<PortalName, std::vector<ConfiguredBudget>>{
                         {Acme(), {{.method = http::Method::kGet, .pattern = "/a", .limit = 2}}}},
                     bounds);
  }

  BudgetsTest() { Make({}); }
  ~BudgetsTest() override {
    for (Call& call : calls_) call.stop.request_stop();
    scheduler_.RunDue();
    calls_.clear();
  }

  FakeClock clock_;
  FakeScheduler scheduler_{clock_};
  Metrics metrics_{{.version = "1", .methods = {}, .portals = {"acme"}}};
  std::optional<Budgets> budgets_;
  std::list<Call> calls_;
};

TEST_F(BudgetsTest, WhatHasRoomGoesAtOnce) {
  EXPECT_TRUE(Ask({}).may_go());
  EXPECT_TRUE(Ask({}).may_go());
  EXPECT_EQ(scheduler_.timers(), 0U);
}

TEST_F(BudgetsTest, DefaultsAreThoseOfLogicMonitor) {
  Ask({.path = "/b"});
  Ask({.path = "/b", .body = "x"});
  const auto states = budgets_->Of(Acme());
  ASSERT_EQ(states.size(), 2U);
  EXPECT_EQ(states[0].budget.limit, 500);
  EXPECT_EQ(states[0].budget.remaining, 499);
  EXPECT_EQ(states[0].budget.window, kMinute);
  EXPECT_EQ(states[1].budget.limit, 200);
}

TEST_F(BudgetsTest, EndpointsCountApartAndNumbersFold) {
  SpendAll();
  Spend({.path = "/a/7"});
  Spend({.path = "/a/8"});
  const auto states = budgets_->Of(Acme());
  ASSERT_EQ(states.size(), 2U);
  EXPECT_EQ(states[0].pattern, "/a");
  EXPECT_EQ(states[0].budget.remaining, 0);
  EXPECT_EQ(states[1].pattern, "/a/{id}");
  EXPECT_EQ(states[1].budget.remaining, 498);
}

TEST_F(BudgetsTest, WhoWaitsGoesWhenTheWindowOpens) {
  SpendAll();
  scheduler_.Advance(Seconds(40));
  const Call& first = Ask({});
  const Call& second = Ask({});
  EXPECT_TRUE(first.waits());
  EXPECT_EQ(Waiting(), 2U);
  scheduler_.Advance(Seconds(20) - absl::Milliseconds(1));
  EXPECT_TRUE(first.waits());
  scheduler_.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(first.may_go());
  EXPECT_TRUE(second.may_go());
  EXPECT_EQ(Waiting(), 0U);
  EXPECT_EQ(scheduler_.timers(), 0U);  // nothing of the calls is left
  EXPECT_THAT(metrics_.Text(), HasSubstr("lmbroker_budget_wait_seconds_count{portal=\"acme\"} 2"));
}

TEST_F(BudgetsTest, WaitThatCannotEndInTimeIsRefusedAtOnceAndTheDelayIsRight) {
  SpendAll();
  scheduler_.Advance(Seconds(20) + absl::Microseconds(3));
  const Call& call = Ask({});
  ASSERT_FALSE(call.waits());
  ASSERT_THAT(*call.result, RefusedWith(Reason::kDeadlineTooShort));
  EXPECT_EQ(scheduler_.timers(), 0U);
  const absl::Duration delay = RetryDelayOf(call.result->status());
  EXPECT_GE(delay, Seconds(40) - absl::Microseconds(3));
  EXPECT_LE(delay, Seconds(40));
  scheduler_.Advance(delay);
  EXPECT_TRUE(Ask({.time = absl::Milliseconds(1)}).may_go());
  EXPECT_THAT(metrics_.Text(), HasSubstr("lmbroker_budget_refusals_total{portal=\"acme\"} 1"));
}

TEST_F(BudgetsTest, LongerDeadlineWouldDo) {
  SpendAll();
  EXPECT_THAT(*Ask({.time = kMinute}).result, RefusedWith(Reason::kDeadlineTooShort));
  EXPECT_TRUE(Ask({.time = kMinute + absl::Milliseconds(1)}).waits());
  // Two go then; the third would wait for the window after.
  EXPECT_TRUE(Ask({.time = kMinute + absl::Milliseconds(1)}).waits());
  const Call& third = Ask({.time = kMinute + absl::Milliseconds(1)});
  ASSERT_THAT(*third.result, RefusedWith(Reason::kDeadlineTooShort));
  EXPECT_EQ(RetryDelayOf(third.result->status()), 2 * kMinute);
}

TEST_F(BudgetsTest, WaitBeyondTheBoundIsRefused) {
  SpendAll();
  const Call& call = Ask({.time = absl::Hours(1), .longest_wait = Seconds(5)});
  ASSERT_THAT(*call.result, RefusedWith(Reason::kBudgetExhausted));
  EXPECT_EQ(RetryDelayOf(call.result->status()), kMinute);
  Make({.longest_wait = Seconds(5)});
  SpendAll();
  EXPECT_THAT(*Ask({.time = absl::Hours(1)}).result, RefusedWith(Reason::kBudgetExhausted));
}

TEST_F(BudgetsTest, FullQueueKeepsThoseWhoseTurnComesFirst) {
  Make({.waiting = 3});
  SpendAll();
  const Wish greedy{.caller = "greedy", .time = absl::Hours(1)};
  const Call& first = Ask(greedy);
  const Call& second = Ask(greedy);
  const Call& third = Ask(greedy);
  EXPECT_THAT(*Ask(greedy).result, RefusedWith(Reason::kBudgetExhausted));
  const Call& modest = Ask({.caller = "modest", .time = absl::Hours(1)});
  scheduler_.RunDue();
  EXPECT_TRUE(first.waits());
  EXPECT_TRUE(second.waits());
  EXPECT_TRUE(modest.waits());
  ASSERT_FALSE(third.waits());
  EXPECT_THAT(*third.result, RefusedWith(Reason::kBudgetExhausted));
  EXPECT_EQ(Waiting(), 3U);
  scheduler_.Advance(kMinute);
  EXPECT_TRUE(first.may_go());
  EXPECT_TRUE(modest.may_go());
  EXPECT_TRUE(second.waits());
}

TEST_F(BudgetsTest, BodiesThatWaitAreBounded) {
  Make({.waiting_bytes = 10});
  for (int i = 0; i < 200; ++i) Spend({.path = "/p", .body = "x"});
  const Wish post{.time = absl::Hours(1), .path = "/p", .body = "123456"};
  Call& waits = Ask(post);
  EXPECT_TRUE(waits.waits());
  EXPECT_THAT(*Ask(post).result, RefusedWith(Reason::kBudgetExhausted));
  waits.stop.request_stop();
  scheduler_.RunDue();
  EXPECT_TRUE(Ask(post).waits());
}

TEST_F(BudgetsTest, CancellationFreesThePlace) {
  SpendAll();
  Call& gone = Ask({.time = kMinute * 2});
  const Call& next = Ask({.time = kMinute * 2});
  const Call& last = Ask({.time = kMinute * 3});
  gone.stop.request_stop();
  EXPECT_TRUE(gone.waits());  // goes on on the scheduler's thread alone
  scheduler_.RunDue();
  ASSERT_FALSE(gone.waits());
  EXPECT_EQ(gone.result->status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Waiting(), 2U);
  scheduler_.Advance(kMinute);
  EXPECT_TRUE(next.may_go());
  EXPECT_TRUE(last.may_go());
}

TEST_F(BudgetsTest, CallThatIsCancelledAlreadyDoesNotWait) {
  SpendAll();
  std::stop_source stopped;
  stopped.request_stop();
  Call& call = calls_.emplace_back();
  call.request =
      *http::CanonicalRequest::Make({.method = "GET", .path = "/a", .query = {}, .headers = {}, .body = ""}, {});
  const std::stop_token token = stopped.get_token();
  budgets_->Acquire({.portal = Acme(),
                     .request = *call.request,
                     .caller = "a",
                     .deadline = clock_.Monotonic() + absl::Hours(1),
                     .cancelled = token},
                    [&call](absl::StatusOr<Permit> later) { call.result = std::move(later); });
  scheduler_.RunDue();
  ASSERT_FALSE(call.waits());
  EXPECT_EQ(call.result->status().code(), absl::StatusCode::kCancelled);
}

// Others passed it by, so that its turn did not come in time.
TEST_F(BudgetsTest, DeadlineFreesThePlace) {
  SpendAll();
  const Call& first = Ask({.time = kMinute + Seconds(1)});
  const Call& second = Ask({.time = kMinute + Seconds(1)});
  Ask({.caller = "heavy", .weight = 10, .time = kMinute * 2});
  Ask({.caller = "heavy", .weight = 10, .time = kMinute * 2});
  scheduler_.Advance(kMinute + Seconds(1));
  ASSERT_FALSE(first.waits());
  EXPECT_THAT(*first.result, RefusedWith(Reason::kDeadline));
  EXPECT_THAT(*second.result, RefusedWith(Reason::kDeadline));
  EXPECT_EQ(Waiting(), 0U);
}

TEST_F(BudgetsTest, PermitThatComesBackServesTheNext) {
  Call& sent = Ask({});
  Ask({});
  const Call& waits = Ask({.time = absl::Hours(1)});
  EXPECT_TRUE(waits.waits());
  (*sent.result)->Return();
  scheduler_.RunDue();
  EXPECT_TRUE(waits.may_go());
}

TEST_F(BudgetsTest, PermitThatDiesWithoutAWordIsSpent) {
  Ask({}).result.reset();
  Ask({}).result.reset();
  EXPECT_TRUE(Ask({.time = absl::Hours(1)}).waits());
}

TEST_F(BudgetsTest, HigherLimitInAReplyServesWhoWaits) {
  Call& sent = Ask({});
  Spend({});
  const Call& waits = Ask({.time = absl::Hours(1)});
  EXPECT_EQ((*sent.result)->Answered(200, Headers(100, 98, 60))->remaining, 98);
  scheduler_.RunDue();
  EXPECT_TRUE(waits.may_go());
}

TEST_F(BudgetsTest, TooManyRequestsHoldsAllUntilRetryAfter) {
  Call& sent = Ask({.path = "/b"});
  auto headers = Headers(500, 0, 60);
  headers.push_back({"Retry-After", "7"});
  (*sent.result)->Answered(429, headers);
  const Call& waits = Ask({.path = "/b"});
  const Call& refused = Ask({.time = Seconds(6), .path = "/b"});
  EXPECT_THAT(*refused.result, RefusedWith(Reason::kDeadlineTooShort));
  EXPECT_EQ(RetryDelayOf(refused.result->status()), Seconds(7));
  scheduler_.Advance(Seconds(7) - absl::Nanoseconds(1));
  EXPECT_TRUE(waits.waits());
  scheduler_.Advance(absl::Nanoseconds(1));
  EXPECT_TRUE(waits.may_go());
}

// Nobody knows the limit yet, so the first answers decide about those who wait.
TEST_F(BudgetsTest, BurstBeforeTheFirstAnswerWaitsForIt) {
  std::vector<Call*> burst;
  for (int i = 0; i < 600; ++i) burst.push_back(&Ask({.path = "/b"}));
  ASSERT_TRUE(burst[499]->may_go());
  ASSERT_TRUE(burst[500]->waits());
  (*burst[0]->result)->Answered(200, Headers(550, 549, 60));
  scheduler_.RunDue();
  EXPECT_TRUE(burst[549]->may_go());
  ASSERT_FALSE(burst[550]->waits());
  EXPECT_THAT(*burst[550]->result, RefusedWith(Reason::kDeadlineTooShort));
  EXPECT_EQ(Waiting(), 0U);
}

TEST_F(BudgetsTest, TooManyRequestsEndsWaitsThatBecomeHopeless) {
  Call& sent = Ask({});
  Call& other = Ask({});
  (*other.result)->Lost();
  const Call& patient = Ask({.time = kMinute * 10});
  const Call& hasty = Ask({.time = kMinute + Seconds(1)});
  EXPECT_TRUE(hasty.waits());
  (*sent.result)->Answered(429, {{"Retry-After", "90"}});
  scheduler_.RunDue();
  EXPECT_TRUE(patient.waits());
  ASSERT_FALSE(hasty.waits());
  EXPECT_THAT(*hasty.result, RefusedWith(Reason::kDeadlineTooShort));
  EXPECT_EQ(RetryDelayOf(hasty.result->status()), Seconds(90));
}

TEST_F(BudgetsTest, ReservedCallsPassThoseWhoWait) {
  for (int i = 0; i < 475; ++i) Spend({.path = "/device/devices"});
  const Call& waits = Ask({.time = absl::Hours(1), .path = "/device/devices"});
  EXPECT_TRUE(waits.waits());
  for (int i = 0; i < 25; ++i) Spend({.priority = Priority::kReserved, .path = "/device/devices"});
  const Call& urgent = Ask({.priority = Priority::kReserved, .time = absl::Hours(1), .path = "/device/devices"});
  EXPECT_TRUE(urgent.waits());
  scheduler_.Advance(kMinute);
  EXPECT_TRUE(urgent.may_go());
}

TEST_F(BudgetsTest, PortalThatIsNoneOfOursIsADefect) {
  const PortalName other = *PortalName::FromId("other", "portal");
  const auto request =
      *http::CanonicalRequest::Make({.method = "GET", .path = "/a", .query = {}, .headers = {}, .body = ""}, {});
  const std::stop_token never;
  auto result = budgets_->Acquire(
      {.portal = other, .request = request, .caller = "a", .deadline = absl::InfiniteDuration(), .cancelled = never},
      [](absl::StatusOr<Permit>) { FAIL(); });
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(*result, RefusedWith(Reason::kInternal));
  EXPECT_THAT(budgets_->Of(other), IsEmpty());
}

Task<absl::StatusOr<absl::Duration>> Await(Budgets& budgets, const BudgetClaim claim, const Clock& clock) {
  BudgetAcquire acquire(budgets, claim);
  const absl::StatusOr<Permit> permit = co_await acquire;
  if (!permit.ok()) co_return permit.status();
  co_return clock.Monotonic();
}

TEST_F(BudgetsTest, CoroutinesGoOnAtOnceOrWhenThereIsRoom) {
  const PortalName acme = Acme();
  const auto request =
      *http::CanonicalRequest::Make({.method = "GET", .path = "/a", .query = {}, .headers = {}, .body = ""}, {});
  const std::stop_token never;
  const absl::Duration start = clock_.Monotonic();
  std::vector<absl::StatusOr<absl::Duration>> ended;
  const auto begin = [&](absl::Duration time) {
    Start(Await(*budgets_,
                {.portal = acme, .request = request, .caller = "a", .deadline = start + time, .cancelled = never},
                clock_),
          [&](absl::StatusOr<absl::Duration> at) { ended.push_back(std::move(at)); });
  };
  begin(Seconds(1));
  begin(Seconds(1));
  ASSERT_EQ(ended.size(), 2U);
  begin(Seconds(1));
  ASSERT_EQ(ended.size(), 3U);
  EXPECT_THAT(ended[2], RefusedWith(Reason::kDeadlineTooShort));
  begin(kMinute * 2);
  ASSERT_EQ(ended.size(), 3U);
  scheduler_.Advance(kMinute);
  ASSERT_EQ(ended.size(), 4U);
  EXPECT_EQ(*ended[3], start + kMinute);
}

// Twenty callers of different weight, each of which wants ten times its share, at a portal that counts a rolling window
// and answers within half a second: each gets its share within 5 %, nobody starves, and the portal never says 429.
TEST_F(BudgetsTest, SharesFollowWeightsAtTenTimesTheCapacity) {
  constexpr int kLimit = 420;
  constexpr int kCallers = 20;  // of weights 1 to 20, 210 in all
  constexpr absl::Duration kStep = absl::Milliseconds(100);
  const absl::Duration start = clock_.Monotonic();
  const absl::Duration counted_from = start + 3 * kMinute;
  struct Sent {
    Call* call;
    absl::Duration answer_at;
    std::vector<http::NameValue> headers;
  };
  std::deque<absl::Duration> window;  // what the portal has accepted
  std::vector<Sent> sent;
  std::map<std::string, int> served;
  std::map<std::string, absl::Duration> last;
  int too_many = 0;
  std::uint64_t asked = 0;
  for (absl::Duration now = start; now < counted_from + 10 * kMinute; now += kStep) {
    // Ten times 7 requests a second.
    for (int i = 0; i < 7; ++i, ++asked) {
      const int caller = static_cast<int>(asked % kCallers) + 1;
      Ask({.caller = "caller" + std::to_string(caller), .weight = caller, .time = Seconds(90), .path = "/c"});
    }
    for (auto call = calls_.begin(); call != calls_.end();) {
      const auto at = call++;
      if (at->waits()) continue;
      if (!at->may_go()) {
        calls_.erase(at);
        continue;
      }
      const bool is_sent = std::any_of(sent.begin(), sent.end(), [&](const Sent& one) { return one.call == &*at; });
      if (is_sent) continue;
      while (!window.empty() && window.front() <= now - kMinute) window.pop_front();
      too_many += window.size() >= kLimit ? 1 : 0;
      window.push_back(now);
      sent.push_back({.call = &*at,
                      .answer_at = now + absl::Milliseconds(100 * (asked % 5)),
                      .headers = Headers(kLimit, kLimit - static_cast<int>(window.size()), 60)});
      if (now < counted_from) continue;
      ++served[at->caller];
      last[at->caller] = now;
    }
    std::erase_if(sent, [&](const Sent& one) {
      if (one.answer_at > now) return false;
      (*one.call->result)->Answered(200, one.headers);
      calls_.remove_if([&](const Call& call) { return &call == one.call; });
      return true;
    });
    scheduler_.Advance(kStep);
  }
  EXPECT_EQ(too_many, 0);
  int all = 0;
  for (const auto& [caller, count] : served) all += count;
  EXPECT_GE(all, 10 * kLimit * 95 / 100);  // and the portal is used to the full
  for (int weight = 1; weight <= kCallers; ++weight) {
    const double share = all * weight / 210.0;
    EXPECT_NEAR(served["caller" + std::to_string(weight)], share, std::max(2.0, 0.05 * share)) << weight;
    EXPECT_GT(last["caller" + std::to_string(weight)], counted_from + 8 * kMinute) << weight;
  }
}

}  // namespace
}  // namespace lmbroker::portal
