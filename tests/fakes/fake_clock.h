#pragma once

#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/mutex.h"

namespace lmbroker {

// A clock that only the test moves. Safe for concurrent use.
class FakeClock final : public Clock {
 public:
  // Starts at 2023-11-14 22:13:20 UTC, the epoch of the signature test vectors.
  explicit FakeClock(absl::Time now = absl::FromUnixMillis(1'700'000'000'000)) : now_(now) {}

  absl::Time Now() const override {
    const MutexLock lock(mutex_);
    return now_;
  }
  absl::Duration Monotonic() const override {
    const MutexLock lock(mutex_);
    return monotonic_;
  }

  // Time passes: both readings go on by `duration`.
  void Advance(absl::Duration duration) {
    const MutexLock lock(mutex_);
    now_ += duration;
    monotonic_ += duration;
  }

  // Somebody sets the wall clock, perhaps backwards; monotonic time does not notice.
  void StepTo(absl::Time now) {
    const MutexLock lock(mutex_);
    now_ = now;
  }

 private:
  mutable Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
  absl::Duration monotonic_ ABSL_GUARDED_BY(mutex_) = absl::Hours(1);
};

}  // namespace lmbroker
