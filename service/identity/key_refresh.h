#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/scheduler.h"
#include "service/identity/issuer_keys.h"
#include "service/identity/workers.h"

namespace lmbroker::identity {

// Fetches the issuer's keys: at the start, every five minutes, when a token names one that is not known, and after a
// failure soon and then ever less often. Never two at a time, and never twice within some seconds, whatever tokens
// strangers send. Its methods are called on the scheduler's thread; shared, because what it posted may outlive its
// owner.
class KeyRefresh : public std::enable_shared_from_this<KeyRefresh> {
 public:
  // The key set's text; may block.
  using Fetch = std::function<absl::StatusOr<std::string>()>;
  using Done = absl::AnyInvocable<void()>;

  // All but `workers` must outlive what this has posted.
  struct Parts {
    const Clock& clock;
    Scheduler& scheduler;
    Logger& logger;
    Metrics& metrics;
    std::shared_ptr<IssuerKeys> keys;
    Workers workers;
    Fetch fetch;
  };

  explicit KeyRefresh(Parts parts) : parts_(std::move(parts)) {}

  // Fetches now, and from now on.
  void Start() { Begin(); }
  // Whether keys are being fetched, or may be: not when the last fetch is too short a time ago.
  bool MayFetch() const { return fetching_ || parts_.clock.Monotonic() >= not_before_; }
  // A token names a key that is not known, and MayFetch. Tells `done` after a fetch, its own or the one under way, and
  // never before this returns.
  void Refresh(Done done);

 private:
  void Begin();
  void End(const absl::StatusOr<std::string>& text);
  bool Take(const absl::StatusOr<std::string>& text);

  const Parts parts_;
  bool fetching_ = false;
  absl::Duration not_before_ = -absl::InfiniteDuration();  // the next fetch for an unknown key
  absl::Duration retry_ = absl::ZeroDuration();            // the wait after the last failure; zero after a success
  Scheduler::Timer timer_;
  std::vector<Done> waiting_;
};

}  // namespace lmbroker::identity
