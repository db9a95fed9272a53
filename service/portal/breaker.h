#pragma once

#include <optional>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/base/names.h"

namespace lmbroker::portal {

// Keeps calls from a portal that fails most of the time, so that they end at once rather than at their deadlines, and
// so that the portal can recover. Closed: all go. Open: none goes, for 1 s at first and twice as long each time, up to
// 30 s. Half-open: one goes, and decides. Safe for concurrent use.
class Breaker {
 public:
  enum class State { kClosed, kOpen, kHalfOpen };

  // What a call says of the portal.
  enum class Verdict {
    kAlive,    // an answer that is no failure of the portal's
    kFailed,   // no connection, no HTTP, a 5xx, no answer for long
    kNothing,  // ended for another reason
  };

  // The right to send one call. Whoever has one says what the call showed; one that dies without a word showed nothing.
  // Move-only; must not outlive its breaker.
  class [[nodiscard]] Pass {
   public:
    Pass(Pass&& other) noexcept : breaker_(std::exchange(other.breaker_, nullptr)), trial_(other.trial_) {}
    Pass& operator=(Pass&& other) noexcept {
      std::swap(breaker_, other.breaker_);
      std::swap(trial_, other.trial_);
      return *this;
    }
    ~Pass() { (void)End(Verdict::kNothing); }

    // The breaker's new state, when this changed it.
    std::optional<State> End(Verdict verdict);

   private:
    friend class Breaker;
    Pass(Breaker& breaker, bool trial) : breaker_(&breaker), trial_(trial) {}

    Breaker* breaker_;  // null once it is said
    bool trial_;        // the one that decides
  };

  // Both must outlive the breaker.
  Breaker(const Clock& clock, const PortalName& portal) : clock_(clock), portal_(portal) {}

  // BREAKER_OPEN when a call that comes now would be refused.
  absl::Status Check() const;
  // BREAKER_OPEN.
  absl::StatusOr<Pass> Admit();
  // For an operator who wants to know. What it shows counts like what any other call shows.
  Pass Insist();

  State state() const;

 private:
  std::optional<State> Judge(bool trial, Verdict verdict);
  std::optional<State> Count(bool failed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // How long a call that comes now would have to wait; zero when it may go.
  absl::Duration Wait() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Refusal(absl::Duration wait) const;

  const Clock& clock_;
  const PortalName& portal_;
  mutable Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kClosed;
  // Of the recent past: what happened counts half as much after each half-life.
  double failures_ ABSL_GUARDED_BY(mutex_) = 0;
  double successes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration counted_at_ ABSL_GUARDED_BY(mutex_);
  absl::Duration open_for_ ABSL_GUARDED_BY(mutex_);    // the present or last time
  absl::Duration open_until_ ABSL_GUARDED_BY(mutex_);  // on Clock::Monotonic
  bool on_trial_ ABSL_GUARDED_BY(mutex_) = false;      // the call that decides is out
};

}  // namespace lmbroker::portal
