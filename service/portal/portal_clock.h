#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/http/headers.h"

namespace lmbroker::portal {

// What time it is at a portal, as its replies say: LMv1 signatures carry a time that the portal compares with its own
// clock. The median of the last replies against our monotonic clock, so that neither one odd reply nor a step of the
// local wall clock changes it. Until a reply has said otherwise it is the local time. Safe for concurrent use.
class PortalClock {
 public:
  // The clock must outlive this.
  explicit PortalClock(const Clock& clock) : clock_(clock) {}

  // From a reply to what was sent and received at these times of Clock::Monotonic; `refused` says that the portal did
  // not take the signature, perhaps for its time. Of others one a second is enough, the rest is passed over. True when
  // the skew has become alarming (more than 5 minutes), false when it no longer is, nothing when that did not change.
  std::optional<bool> Learn(const std::vector<http::NameValue>& headers, absl::Duration sent, absl::Duration received,
                            bool refused);

  // The portal's time now.
  absl::Time Now() const;
  // The portal's clock minus ours; unset before a reply has told.
  std::optional<absl::Duration> skew() const;
  bool alarming() const;
  // When it was last set anew, not by a little; what was signed before carries another time. Infinite past: never.
  absl::Duration set_at() const;

 private:
  void Add(absl::Duration offset, bool refused) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of the portal's clock, with this offset, against ours.
  absl::Duration Skew(absl::Duration offset) const;
  absl::Duration Median() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  // The portal's Unix time minus Clock::Monotonic, the newest at the back.
  std::deque<absl::Duration> offsets_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Duration> odd_ ABSL_GUARDED_BY(mutex_);     // the last one, when it disagreed with all that
  std::optional<absl::Duration> offset_ ABSL_GUARDED_BY(mutex_);  // their median
  absl::Duration learned_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  absl::Duration set_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  bool alarming_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace lmbroker::portal
