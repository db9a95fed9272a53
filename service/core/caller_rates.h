#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/portal/rolling_window.h"

namespace lmbroker::core {

// How many calls each caller made within the last minute, for callers whose policy sets a limit (`max_per_minute`).
// Safe for concurrent use.
class CallerRates {
 public:
  explicit CallerRates(const Clock& clock) : clock_(clock) {}

  // Counts a call of `caller`; CALLER_LIMIT, and counts nothing, when the last minute has `max_per_minute` of them.
  // Unset: no limit, and nothing is counted.
  absl::Status Admit(std::string_view caller, std::optional<int> max_per_minute);

 private:
  // Those with no call in the last minute are forgotten, so that names of former policies do not pile up.
  void ForgetIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  std::map<std::string, portal::RollingWindow, std::less<>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::core
