#include "service/base/delay.h"

#include <optional>
#include <stop_token>

#include <gtest/gtest.h>

#include "service/base/task.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_scheduler.h"

namespace lmbroker {
namespace {

Task<bool> Wait(Scheduler* scheduler, absl::Duration until, std::stop_token cancelled) {
  Delay delay(*scheduler, until, std::move(cancelled));
  const bool elapsed = co_await delay;
  co_return elapsed;
}

class DelayTest : public ::testing::Test {
 protected:
  void StartWait(absl::Duration duration) {
    Start(Wait(&scheduler_, clock_.Monotonic() + duration, cancel_.get_token()),
          [this](bool elapsed) { elapsed_ = elapsed; });
    scheduler_.RunDue();
  }

  FakeClock clock_;
  FakeScheduler scheduler_{clock_};
  std::stop_source cancel_;
  std::optional<bool> elapsed_;
};

TEST_F(DelayTest, EndsWhenItsTimeComesAndNotBefore) {
  StartWait(absl::Seconds(10));
  scheduler_.Advance(absl::Milliseconds(9'999));
  EXPECT_FALSE(elapsed_.has_value());
  scheduler_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(elapsed_, true);
}

TEST_F(DelayTest, CancellationEndsItAtOnceAndLeavesNoTimer) {
  StartWait(absl::Seconds(10));
  cancel_.request_stop();
  scheduler_.RunDue();
  EXPECT_EQ(elapsed_, false);
  EXPECT_EQ(scheduler_.timers(), 0U);
}

TEST_F(DelayTest, CancelledBeforeItBeganEndsAtOnce) {
  cancel_.request_stop();
  StartWait(absl::Seconds(10));
  EXPECT_EQ(elapsed_, false);
}

TEST_F(DelayTest, CancellationAfterItsEndDoesNothing) {
  StartWait(absl::Seconds(1));
  scheduler_.Advance(absl::Seconds(1));
  cancel_.request_stop();
  scheduler_.RunDue();
  EXPECT_EQ(elapsed_, true);
}

}  // namespace
}  // namespace lmbroker
