#pragma once

#include <optional>

#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/base/random.h"
#include "service/http/client.h"

namespace lmbroker::portal {

// Law 6: what a repeat of a call may do.
enum class Repeatable {
  kNever,       // it shall show what one attempt comes to
  kUnlessSeen,  // a second one may do harm: only while LM cannot have seen it
  kAlways,      // a second one does no harm
};

// Whether another attempt may follow the one that came to `result`, the `attempts`th; then how long to wait for it,
// with jitter. At once after the first connection that was lost: a kept one may have been closed just then. A 429 is
// not waited for here, but in the queue for the portal's rate limit, which knows of it.
std::optional<absl::Duration> WaitBeforeRepeat(const http::TransferResult& result, Repeatable repeatable, int attempts,
                                               Random& random);

// Bounds what repeats add to the load of a portal that is in trouble: a tenth of its calls, and one a second. Safe for
// concurrent use.
class RepeatBudget {
 public:
  // The clock must outlive this.
  explicit RepeatBudget(const Clock& clock) : clock_(clock) {}

  // A call was sent for the first time.
  void CountCall();
  // Whether there is room for a repeat, which then is used.
  bool Take();

 private:
  const Clock& clock_;
  Mutex mutex_;
  double room_ ABSL_GUARDED_BY(mutex_) = 0;  // repeats
  absl::Duration filled_at_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

}  // namespace lmbroker::portal
