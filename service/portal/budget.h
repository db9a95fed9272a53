#pragma once

#include <cstdint>

#include <absl/time/time.h>

#include "service/portal/rate_limit.h"
#include "service/portal/rolling_window.h"

namespace lmbroker::portal {

// What comes first when a budget is short.
enum class Priority {
  kReserved,  // what makes the portal safer, or is under way: disable, delete, rotation, probes, taking back a create
  kNormal,
};

// The account of one of LM's rate limits (logicmonitor-api, section 8): how many requests a rolling window may hold,
// and how many it holds already. Times are Clock::Monotonic. Not thread-safe.
//
// A request is counted from before it leaves until one window after its answer. LM counts it at some moment in between,
// so no rolling window of LM's ever holds more of ours than we count: alone on a portal we cause no 429.
//
// Other clients spend the same limit. Each reply says how much is spent in all, by us and by others; which of our
// requests in flight are in it nobody knows. So a reply bounds what others spent from both sides, and our estimate
// moves into these bounds by as little as it must.
class Budget {
 public:
  struct Options {
    int limit = 1;  // until a reply says more
    absl::Duration window = absl::Minutes(1);
    int least_limit = 0;   // whatever replies say
    bool reserve = false;  // keeps a twentieth of the limit, one at least, for Priority::kReserved
  };

  explicit Budget(const Options& options);

  // Forgets what has left the window. First thing before anything that depends on the time.
  void Expire(absl::Duration now);

  // Whether one more request may go now.
  bool HasRoom(Priority priority, absl::Duration now) const { return now >= blocked_until_ && Room(priority) > 0; }
  // When there is room for one more behind `ahead` others, as far as it can be told now: exact when what has to leave
  // the window first was answered already, else a little early.
  absl::Duration RoomAt(int ahead, Priority priority, absl::Duration now) const;

  // One more request is about to leave. What comes back belongs to it, for Learn.
  std::int64_t Take();
  // It never left.
  void Return() { --in_flight_; }
  // It was answered, or lost on the way.
  void Settle(absl::Duration now);
  // What the reply to a settled request says. Limits that cannot be meant (no requests, windows beyond an hour) are
  // passed over. True when the limit is another one now.
  bool Learn(std::int64_t taken, const RateLimit& said, absl::Duration now);
  // The portal said 429: nothing goes before `until`. What the reply says is left is not learned, since `until` tells
  // better when there is something again.
  void Block(absl::Duration until);

  int limit() const;
  int remaining(absl::Duration now) const;
  absl::Duration window() const { return settled_.length(); }
  int in_flight() const { return in_flight_; }

 private:
  int Capacity(Priority priority) const;
  int Room(Priority priority) const { return Capacity(priority) - in_flight_ - settled_.count() - foreign_; }
  // When the `nth` of all that occupies the budget has left.
  absl::Duration LeavesAt(int nth, absl::Duration now) const;

  const int least_limit_;
  const bool reserve_;
  int limit_;
  bool is_told_ = false;  // the portal has said its limit
  int in_flight_ = 0;
  RollingWindow settled_;
  int foreign_ = 0;                                          // spent by other clients
  absl::Duration foreign_seen_ = -absl::InfiniteDuration();  // when a reply last showed it
  absl::Duration blocked_until_ = -absl::InfiniteDuration();
};

}  // namespace lmbroker::portal
