#pragma once

#include <cstdint>

#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>

namespace lmbroker {

// Runs work on one thread: soon, or at a time. What runs there must not block. The methods may be called from any
// thread, also while holding a lock: nothing runs before they return.
class Scheduler {
 public:
  using Work = absl::AnyInvocable<void()>;

  // Names a timer; a default-constructed one names none.
  struct Timer {
    absl::Duration when = absl::InfiniteDuration();
    std::uint64_t number = 0;
    bool operator==(const Timer&) const = default;
    friend bool operator<(const Timer& a, const Timer& b) {
      return a.when != b.when ? a.when < b.when : a.number < b.number;
    }
  };

  virtual ~Scheduler() = default;

  virtual void Post(Work work) = 0;
  // Runs `expire` once Clock::Monotonic reaches `when`.
  virtual Timer AddTimer(absl::Duration when, Work expire) = 0;
  // On the scheduler's thread it is certain afterwards that the timer does not run any more.
  virtual void CancelTimer(Timer timer) = 0;
};

}  // namespace lmbroker
