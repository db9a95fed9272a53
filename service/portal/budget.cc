#include "service/portal/budget.h"

#include <algorithm>

namespace lmbroker::portal {
namespace {

constexpr int kReservedPart = 20;
constexpr int kMostLimit = 1 << 30;
constexpr absl::Duration kLongestWindow = absl::Hours(1);
// How long a request in flight is taken to need, to tell when its place gets free.
constexpr absl::Duration kTypicalAnswer = absl::Milliseconds(100);

}  // namespace

Budget::Budget(const Options& options)
    : least_limit_(options.least_limit), reserve_(options.reserve), limit_(options.limit), settled_(options.window) {}

void Budget::Expire(absl::Duration now) {
  settled_.Expire(now);
  if (foreign_ > 0 && foreign_seen_ + window() <= now) foreign_ = 0;
}

int Budget::limit() const { return std::max(limit_, least_limit_); }

int Budget::Capacity(Priority priority) const {
  if (!reserve_ || priority == Priority::kReserved || limit() < 2) return limit();
  return limit() - std::max(1, limit() / kReservedPart);
}

int Budget::remaining(absl::Duration now) const {
  return now < blocked_until_ ? 0 : std::max(0, Room(Priority::kReserved));
}

std::int64_t Budget::Take() {
  ++in_flight_;
  return settled_.added();
}

void Budget::Settle(absl::Duration now) {
  --in_flight_;
  settled_.Add(now);
}

bool Budget::Learn(std::int64_t taken, const RateLimit& said, absl::Duration now) {
  if (said.limit < 1 || said.limit > kMostLimit || said.window < absl::Seconds(1) || said.window > kLongestWindow)
    return false;
  const bool changed = !is_told_ || limit_ != said.limit || window() != said.window;
  is_told_ = true;
  limit_ = said.limit;
  settled_.set_length(said.window);
  settled_.Expire(now);

  const int spent = std::max(0, said.limit - said.remaining);
  const int younger = static_cast<int>(settled_.added() - taken);  // may have been counted after the reply was made
  const int surely_ours = std::max(0, settled_.count() - younger);
  const int perhaps_ours = settled_.count() + in_flight_;
  // Of ours some were not counted, or have left LM's window already: LM goes by its own count, and so do we. What is
  // left are the youngest, so that it does not leave before LM's does.
  if (surely_ours > spent) settled_.DropOldest(surely_ours - spent);
  foreign_ = std::clamp(foreign_, std::max(0, spent - perhaps_ours), std::max(0, spent - surely_ours));
  if (spent > perhaps_ours) foreign_seen_ = now;
  return changed;
}

void Budget::Block(absl::Duration until) { blocked_until_ = std::max(blocked_until_, until); }

absl::Duration Budget::LeavesAt(int nth, absl::Duration now) const {
  if (nth <= settled_.count() && (foreign_ == 0 || settled_.LeavesAt(nth) <= foreign_seen_ + window())) {
    return settled_.LeavesAt(nth);
  }
  if (nth <= foreign_) return foreign_seen_ + window();
  if (nth <= foreign_ + settled_.count()) {
    return std::max(foreign_seen_ + window(), settled_.LeavesAt(nth - foreign_));
  }
  return now + kTypicalAnswer + window();  // what is in flight
}

absl::Duration Budget::RoomAt(int ahead, Priority priority, absl::Duration now) const {
  // As long as the portal has not said its limit, the first answer is what one waits for.
  if (!is_told_ && in_flight_ > 0 && ahead >= Room(priority)) return std::max(blocked_until_, now + kTypicalAnswer);
  const int capacity = Capacity(priority);
  // A place that is taken is free again a window later.
  const int windows = ahead / capacity;
  const int to_leave = ahead % capacity + 1 - Room(priority);
  const absl::Duration at = to_leave > 0 ? LeavesAt(to_leave, now) : now;
  return std::max({at, blocked_until_, now}) + windows * window();
}

}  // namespace lmbroker::portal
