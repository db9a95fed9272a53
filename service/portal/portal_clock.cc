#include "service/portal/portal_clock.h"

#include <algorithm>

#include "service/portal/reply_headers.h"

namespace lmbroker::portal {
namespace {

constexpr std::size_t kReplies = 9;
constexpr absl::Duration kLearnEvery = absl::Seconds(1);
constexpr absl::Duration kAlarm = absl::Minutes(5);
// Replies that differ by more do not speak of the same clock: the portal's was set, or the machine slept, which the
// monotonic clock does not see.
constexpr absl::Duration kSameClock = absl::Minutes(1);

bool Agree(absl::Duration a, absl::Duration b) { return absl::AbsDuration(a - b) <= kSameClock; }

}  // namespace

std::optional<bool> PortalClock::Learn(const std::vector<http::NameValue>& headers, absl::Duration sent,
                                       absl::Duration received, bool refused) {
  {
    const MutexLock lock(mutex_);
    if (!refused && received < learned_at_ + kLearnEvery) return std::nullopt;
  }
  const auto offset = ClockSkew(headers, absl::UnixEpoch() + sent, absl::UnixEpoch() + received);
  if (!offset.has_value()) return std::nullopt;
  const MutexLock lock(mutex_);
  learned_at_ = received;
  Add(*offset, refused);
  const bool alarming = offset_.has_value() && absl::AbsDuration(Skew(*offset_)) > kAlarm;
  if (alarming == alarming_) return std::nullopt;
  alarming_ = alarming;
  return alarming;
}

// One that disagrees with what was known, the local clock at first, is believed when the next one says the same; or at
// once when the portal has just refused a signature, since that may be why.
void PortalClock::Add(absl::Duration offset, bool refused) {
  const absl::Duration known = offset_.value_or(clock_.Now() - absl::UnixEpoch() - clock_.Monotonic());
  if (!Agree(offset, known)) {
    const bool confirmed = odd_.has_value() && Agree(offset, *odd_);
    odd_ = offset;
    if (!confirmed && !refused) return;
    offsets_.clear();
    set_at_ = clock_.Monotonic();
  }
  odd_.reset();
  offsets_.push_back(offset);
  if (offsets_.size() > kReplies) offsets_.pop_front();
  offset_ = Median();
}

absl::Duration PortalClock::Median() const {
  std::vector<absl::Duration> sorted(offsets_.begin(), offsets_.end());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

absl::Duration PortalClock::Skew(absl::Duration offset) const {
  return absl::UnixEpoch() + clock_.Monotonic() + offset - clock_.Now();
}

absl::Time PortalClock::Now() const {
  const MutexLock lock(mutex_);
  return offset_.has_value() ? absl::UnixEpoch() + clock_.Monotonic() + *offset_ : clock_.Now();
}

std::optional<absl::Duration> PortalClock::skew() const {
  const MutexLock lock(mutex_);
  if (!offset_.has_value()) return std::nullopt;
  return Skew(*offset_);
}

absl::Duration PortalClock::set_at() const {
  const MutexLock lock(mutex_);
  return set_at_;
}

bool PortalClock::alarming() const {
  const MutexLock lock(mutex_);
  return alarming_;
}

}  // namespace lmbroker::portal
