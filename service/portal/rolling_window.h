#pragma once

#include <cstdint>
#include <deque>

#include <absl/time/time.h>

namespace lmbroker::portal {

// What was used within the last window, as LM counts: a use leaves the count one window after it was made. Uses that
// are close together leave together, with the last of them, so memory is bounded whatever the limit: at most some
// hundred groups. Times are Clock::Monotonic and never go back. Not thread-safe.
class RollingWindow {
 public:
  explicit RollingWindow(absl::Duration length) : length_(length) {}

  // Uses that are counted already keep their time, and leave by the new length.
  void set_length(absl::Duration length) { length_ = length; }
  absl::Duration length() const { return length_; }

  void Add(absl::Duration now);
  // Lets go of what has left by `now`.
  void Expire(absl::Duration now);
  // Lets go of the oldest, before their time.
  void DropOldest(int uses);

  int count() const { return count_; }
  // How many were ever added; so `added() - x` of those counted are younger than when it stood at x.
  std::int64_t added() const { return added_; }
  // When the `nth` of those counted has left, 1 being the oldest. `nth` is 1 to count().
  absl::Duration LeavesAt(int nth) const;

 private:
  struct Group {
    absl::Duration first;
    absl::Duration last;
    int uses = 0;
  };

  absl::Duration length_;
  std::deque<Group> groups_;  // the oldest first
  int count_ = 0;
  std::int64_t added_ = 0;
};

}  // namespace lmbroker::portal
