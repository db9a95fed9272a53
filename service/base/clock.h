#pragma once

#include <absl/time/clock.h>
#include <absl/time/time.h>

namespace lmbroker {

// The time, as a parameter. Safe for concurrent use.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall-clock time: for signatures, records and timestamps. May step.
  virtual absl::Time Now() const = 0;
  // Time since an arbitrary start that never goes back: for deadlines, waits and durations.
  virtual absl::Duration Monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
  absl::Duration Monotonic() const override;
};

}  // namespace lmbroker
