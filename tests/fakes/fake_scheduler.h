#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <utility>

#include <absl/time/time.h>

#include "service/base/mutex.h"
#include "service/base/scheduler.h"
#include "tests/fakes/fake_clock.h"

namespace lmbroker {

// A scheduler whose thread is the test's, on a clock that only the test moves: nothing runs until it says so. Work may
// come from any thread.
class FakeScheduler final : public Scheduler {
 public:
  explicit FakeScheduler(FakeClock& clock) : clock_(clock) {}

  void Post(Work work) override {
    const MutexLock lock(mutex_);
    posted_.push_back(std::move(work));
  }
  Timer AddTimer(absl::Duration when, Work expire) override {
    const MutexLock lock(mutex_);
    const Timer timer{.when = when, .number = ++last_timer_};
    timers_.emplace(timer, std::move(expire));
    return timer;
  }
  void CancelTimer(Timer timer) override {
    Work dropped;
    const MutexLock lock(mutex_);
    if (const auto found = timers_.find(timer); found != timers_.end()) {
      dropped = std::move(found->second);
      timers_.erase(found);
    }
  }

  // Runs what is posted or due now, and what that posts, until nothing is left.
  void RunDue() {
    while (Work work = TakeDue()) work();
  }

  // Moves the clock by `duration`, stopping at each timer on the way, as real time would.
  void Advance(absl::Duration duration) {
    RunDue();
    const absl::Duration end = clock_.Monotonic() + duration;
    while (true) {
      const absl::Duration next = NextTimer();
      if (next > end) break;
      if (next > clock_.Monotonic()) clock_.Advance(next - clock_.Monotonic());
      RunDue();
    }
    clock_.Advance(end - clock_.Monotonic());
    RunDue();
  }

  // How many timers are set.
  std::size_t timers() const {
    const MutexLock lock(mutex_);
    return timers_.size();
  }

 private:
  Work TakeDue() {
    const MutexLock lock(mutex_);
    Work work;
    if (!posted_.empty()) {
      work = std::move(posted_.front());
      posted_.pop_front();
    } else if (!timers_.empty() && timers_.begin()->first.when <= clock_.Monotonic()) {
      work = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
    }
    return work;
  }
  absl::Duration NextTimer() const {
    const MutexLock lock(mutex_);
    return timers_.empty() ? absl::InfiniteDuration() : timers_.begin()->first.when;
  }

  FakeClock& clock_;
  mutable Mutex mutex_;
  std::deque<Work> posted_ ABSL_GUARDED_BY(mutex_);
  std::map<Timer, Work> timers_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_timer_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace lmbroker
