#include "service/core/caller_rates.h"

#include <iterator>

#include <fmt/format.h>

#include "service/base/error.h"

namespace lmbroker::core {

absl::Status CallerRates::Admit(std::string_view caller, std::optional<int> max_per_minute) {
  if (!max_per_minute.has_value()) return absl::OkStatus();
  const MutexLock lock(mutex_);
  const absl::Duration now = clock_.Monotonic();
  auto known = calls_.find(caller);
  if (known == calls_.end()) {
    ForgetIdle();
    known = calls_.emplace(caller, portal::RollingWindow(absl::Minutes(1))).first;
  }
  portal::RollingWindow& calls = known->second;
  calls.Expire(now);
  if (calls.count() < *max_per_minute) {
    calls.Add(now);
    return absl::OkStatus();
  }
  const int too_many = calls.count() - *max_per_minute + 1;  // more than one after a reload with a lower limit
  return Refuse(Reason::kCallerLimit,
                fmt::format("The policy allows this caller {} calls a minute, and so many were made; repeat after the "
                            "delay, or ask an operator for a higher `max_per_minute`.",
                            *max_per_minute),
                {.metadata = {{"max_per_minute", fmt::format("{}", *max_per_minute)}},
                 .field = {},
                 .retry_after = absl::Ceil(calls.LeavesAt(too_many) - now, absl::Milliseconds(1))});
}

void CallerRates::ForgetIdle() {
  const absl::Duration now = clock_.Monotonic();
  for (auto known = calls_.begin(); known != calls_.end();) {
    known->second.Expire(now);
    known = known->second.count() == 0 ? calls_.erase(known) : std::next(known);
  }
}

}  // namespace lmbroker::core
