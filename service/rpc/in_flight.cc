#include "service/rpc/in_flight.h"

#include <absl/time/time.h>
#include <fmt/format.h>

#include "service/base/error.h"

namespace lmbroker::rpc {
namespace {

// What a caller should wait before it asks again: calls are short, so one of them ends soon.
constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);

}  // namespace

absl::StatusOr<InFlight::Place> InFlight::Enter(std::string_view identity) {
  std::string key(identity);
  const MutexLock lock(mutex_);
  if (total_ >= limits_.total) {
    return Refuse(Reason::kQueueFull,
                  fmt::format("The broker serves {} calls at once, its limit; try again later.", limits_.total),
                  {.metadata = {{"limit", std::to_string(limits_.total)}}, .retry_after = kRetryAfter});
  }
  std::size_t& mine = by_identity_[key];
  if (mine >= limits_.per_caller) {
    return Refuse(
        Reason::kCallerLimit,
        fmt::format("You have {} calls in flight, the broker's limit for one caller; wait for one to end.", mine),
        {.metadata = {{"limit", std::to_string(limits_.per_caller)}}, .retry_after = kRetryAfter});
  }
  ++mine;
  ++total_;
  return Place(this, std::move(key));
}

void InFlight::Leave(const std::string& identity) {
  const MutexLock lock(mutex_);
  --total_;
  const auto entry = by_identity_.find(identity);
  if (--entry->second == 0) by_identity_.erase(entry);
}

std::size_t InFlight::total() const {
  const MutexLock lock(mutex_);
  return total_;
}

}  // namespace lmbroker::rpc
