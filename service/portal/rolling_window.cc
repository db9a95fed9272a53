#include "service/portal/rolling_window.h"

#include <algorithm>

namespace lmbroker::portal {
namespace {

constexpr int kGroupsPerWindow = 256;  // the price of a bounded memory: a use may stay 0.4 % of a window too long

}  // namespace

void RollingWindow::Add(absl::Duration now) {
  if (groups_.empty() || now - groups_.back().first > length_ / kGroupsPerWindow) {
    groups_.push_back({.first = now, .last = now});
  }
  groups_.back().last = now;
  ++groups_.back().uses;
  ++count_;
  ++added_;
}

void RollingWindow::Expire(absl::Duration now) {
  while (!groups_.empty() && groups_.front().last + length_ <= now) {
    count_ -= groups_.front().uses;
    groups_.pop_front();
  }
}

void RollingWindow::DropOldest(int uses) {
  while (uses > 0 && !groups_.empty()) {
    const int dropped = std::min(uses, groups_.front().uses);
    uses -= dropped;
    count_ -= dropped;
    groups_.front().uses -= dropped;
    if (groups_.front().uses == 0) groups_.pop_front();
  }
}

absl::Duration RollingWindow::LeavesAt(int nth) const {
  for (const Group& group : groups_) {
    if (nth <= group.uses) return group.last + length_;
    nth -= group.uses;
  }
  return groups_.empty() ? absl::ZeroDuration() : groups_.back().last + length_;
}

}  // namespace lmbroker::portal
