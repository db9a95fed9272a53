#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <optional>
#include <set>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "service/audit/audit_log.h"
#include "service/audit/refusal_limiter.h"
#include "service/base/executor.h"
#include "service/base/log.h"
#include "service/base/mutex.h"
#include "service/base/names.h"
#include "service/base/random.h"
#include "service/core/custody.h"
#include "service/core/portal_session.h"
#include "service/store/store.h"

namespace lmbroker::core {

// Keeps the promise of leases: disables tokens when they expire, deletes them after a grace. What is to be done is in
// the store, so it goes on wherever the program ended. Each step is audited like a call, in the broker's own name.
//
// * A portal that does not answer, or has no usable master, is left alone for a while that doubles, and then tried with
//   one token; so a backlog costs it no more than that, and drains at its own pace once it answers.
// * What fails for one token is tried again after a back-off; what fails for good is stuck: listed, and tried seldom.
// * Portals do not wait for each other. While the broker is sealed nothing is done.
//
// Safe for concurrent use; the parts must outlive it.
class Leases {
 public:
  struct Parts {
    PortalSession::Parts portal;
    store::Store& store;
    Custody& custody;
    Random& random;
    audit::AuditLog& audit;
    audit::RefusalLimiter& refusals;
    Logger& logger;
    Executor::Options workers;
  };

  explicit Leases(const Parts& parts) : parts_(parts), workers_(parts.workers) {}

  // Has workers do what is due at every portal; call it every second or so. Never waits for a portal.
  void Tick();
  // Begins no further step. Those under way end within seconds.
  void Stop() { stopping_.store(true, std::memory_order_relaxed); }

  // What is due at one portal, step by step on this thread; at most some hundred steps, and none once the portal is to
  // be left alone.
  void Sweep(const PortalName& portal);

 private:
  // What is going on at one portal.
  struct Lane {
    int workers = 0;
    std::set<TokenName> claimed;                        // whose step is under way
    int failures = 0;                                   // in a row
    absl::Duration pause_until = absl::ZeroDuration();  // on Clock::Monotonic
    absl::Duration no_stuck_until = absl::ZeroDuration();
  };

  bool IsAwake(const PortalName& portal);
  // Whether the last step there was carried out, or refused for good.
  bool WorksAt(const PortalName& portal);
  // How many workers what is due can use.
  int WorkersFor(const PortalName& portal);
  // The lease whose step is the most urgent one, as nobody else's to take; nothing when none is due.
  std::optional<store::LeaseRecord> Claim(const PortalName& portal);
  void Release(const store::LeaseRecord& claimed, const absl::Status& done);
  absl::Status Step(store::LeaseRecord lease);
  void Log(const store::LeaseRecord& lease, bool deleting, const absl::Status& done);

  const Parts parts_;
  std::atomic<bool> stopping_ = false;
  Mutex mutex_;
  std::map<PortalName, Lane> lanes_ ABSL_GUARDED_BY(mutex_);
  Executor workers_;  // last: its work uses all of the above
};

}  // namespace lmbroker::core
