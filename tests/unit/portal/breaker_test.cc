#include "service/portal/breaker.h"

#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/fakes/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::portal {
namespace {

using State = Breaker::State;
using Verdict = Breaker::Verdict;

class BreakerTest : public testing::Test {
 protected:
  // One call that shows this; false when it was refused.
  bool Call(Verdict verdict) {
    auto pass = breaker_.Admit();
    if (!pass.ok()) return false;
    (void)pass->End(verdict);
    return true;
  }
  void Trip() {
    while (Call(Verdict::kFailed)) {
    }
  }

  FakeClock clock_;
  const PortalName acme_ = *PortalName::FromId("acme", "portal");
  Breaker breaker_{clock_, acme_};
};

TEST_F(BreakerTest, OpensAtTwentyFailuresInAShortTime) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(breaker_.state(), State::kClosed) << i;
    EXPECT_TRUE(Call(Verdict::kFailed));
  }
  EXPECT_EQ(breaker_.state(), State::kOpen);
  EXPECT_THAT(breaker_.Admit().status(), RefusedWith(Reason::kBreakerOpen));
  EXPECT_THAT(breaker_.Check(), RefusedWith(Reason::kBreakerOpen));
}

TEST_F(BreakerTest, StaysClosedWhileMostCallsSucceed) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(Call(Verdict::kAlive));
    EXPECT_TRUE(Call(Verdict::kAlive));
    EXPECT_TRUE(Call(Verdict::kFailed));
  }
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(BreakerTest, FailuresOfLongAgoAreForgotten) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(Call(Verdict::kFailed));
    clock_.Advance(absl::Seconds(5));
  }
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(BreakerTest, CallsThatShowNothingCountNothing) {
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Call(Verdict::kNothing));
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(BreakerTest, RetryInfoIsRight) {
  Trip();
  clock_.Advance(absl::Milliseconds(300));
  const absl::Status refused = breaker_.Check();
  EXPECT_EQ(RetryDelayOf(refused), absl::Milliseconds(700));
  clock_.Advance(absl::Milliseconds(700));
  EXPECT_THAT(breaker_.Check(), IsOk());
}

TEST_F(BreakerTest, HalfOpenLetsOneThroughAndItsSuccessCloses) {
  Trip();
  clock_.Advance(absl::Seconds(1));
  auto trial = breaker_.Admit();
  ASSERT_THAT(trial, IsOk());
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
  EXPECT_THAT(breaker_.Admit().status(), RefusedWith(Reason::kBreakerOpen));
  EXPECT_EQ(trial->End(Verdict::kAlive), State::kClosed);
  EXPECT_TRUE(Call(Verdict::kAlive));
}

TEST_F(BreakerTest, OpenTimesDoubleUpToThirtySeconds) {
  Trip();
  for (const int seconds : {1, 2, 4, 8, 16, 30, 30}) {
    clock_.Advance(absl::Seconds(seconds) - absl::Milliseconds(1));
    EXPECT_FALSE(Call(Verdict::kFailed)) << seconds;
    clock_.Advance(absl::Milliseconds(1));
    EXPECT_TRUE(Call(Verdict::kFailed)) << seconds;
  }
}

TEST_F(BreakerTest, TrialThatShowsNothingLeavesTheWordToTheNext) {
  Trip();
  clock_.Advance(absl::Seconds(1));
  {
    auto dropped = breaker_.Admit();
  }
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
  EXPECT_TRUE(Call(Verdict::kAlive));
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(BreakerTest, NewsOfCallsSentBeforeChangeNothing) {
  std::vector<Breaker::Pass> before;
  for (int i = 0; i < 5; ++i) before.push_back(*breaker_.Admit());
  Trip();
  for (Breaker::Pass& pass : before) EXPECT_EQ(pass.End(Verdict::kAlive), std::nullopt);
  EXPECT_EQ(breaker_.state(), State::kOpen);
}

TEST_F(BreakerTest, OperatorsProbeGoesThroughAndItsSuccessCloses) {
  Trip();
  auto probe = breaker_.Insist();
  EXPECT_EQ(probe.End(Verdict::kAlive), State::kClosed);
}

}  // namespace
}  // namespace lmbroker::portal
