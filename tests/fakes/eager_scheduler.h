#pragma once

#include <deque>
#include <map>
#include <thread>
#include <utility>

#include <absl/time/time.h>

#include "service/base/mutex.h"
#include "service/base/scheduler.h"
#include "tests/fakes/fake_clock.h"

namespace lmbroker {

// A scheduler with a thread of its own on which waits are over at once: where a timer is all that is left to do, it
// moves the test's clock to it. For blocking code under test, which could not let time pass itself.
class EagerScheduler final : public Scheduler {
 public:
  explicit EagerScheduler(FakeClock& clock) : clock_(clock) {}
  // What was not run yet is dropped.
  ~EagerScheduler() override {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  EagerScheduler(const EagerScheduler&) = delete;
  EagerScheduler& operator=(const EagerScheduler&) = delete;

  void Post(Work work) override {
    {
      const MutexLock lock(mutex_);
      posted_.push_back(std::move(work));
    }
    changed_.notify_all();
  }
  Timer AddTimer(absl::Duration when, Work expire) override {
    Timer timer{.when = when};
    {
      const MutexLock lock(mutex_);
      timer.number = ++last_timer_;
      timers_.emplace(timer, std::move(expire));
    }
    changed_.notify_all();
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

 private:
  void Run() {
    while (Work work = Next()) work();
  }
  Work Next() {
    const MutexLock lock(mutex_);
    while (!stopping_ && posted_.empty() && timers_.empty()) changed_.wait(mutex_);
    Work work;
    if (stopping_) return work;
    if (!posted_.empty()) {
      work = std::move(posted_.front());
      posted_.pop_front();
      return work;
    }
    const auto first = timers_.begin();
    if (first->first.when > clock_.Monotonic()) clock_.Advance(first->first.when - clock_.Monotonic());
    work = std::move(first->second);
    timers_.erase(first);
    return work;
  }

  FakeClock& clock_;
  Mutex mutex_;
  ConditionVariable changed_;
  std::deque<Work> posted_ ABSL_GUARDED_BY(mutex_);
  std::map<Timer, Work> timers_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_timer_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_{[this] { Run(); }};
};

}  // namespace lmbroker
