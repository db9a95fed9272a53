#pragma once

// Getting one authorised call answered: what each attempt needs before it leaves, what is learned from it, and whether
// another one follows.

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/random.h"
#include "service/base/scheduler.h"
#include "service/base/task.h"
#include "service/core/custody.h"
#include "service/core/lockout_guard.h"
#include "service/http/client.h"
#include "service/policy/authorized_call.h"
#include "service/portal/budgets.h"
#include "service/portal/portal_health.h"
#include "service/portal/repeat.h"

namespace lmbroker::core {

// One call that may go out: it is authorised, and its intent is recorded. What is referred to must outlive the task.
struct Dispatch {
  const policy::AuthorizedCall& call;
  const Custody::Entry& entry;
  const std::string& request_id;
  absl::Duration deadline;  // on Clock::Monotonic
  std::stop_token cancelled;
  const portal::BudgetClaim& claim;  // what each attempt takes from the portal's rate limit
  portal::Repeatable repeatable = portal::Repeatable::kUnlessSeen;
  bool probe = false;      // goes whatever is held against the portal or the key
  bool streaming = false;  // the reply is wanted at its head (http::SendOptions)
};

// What came of it.
struct Dispatched {
  http::TransferResult result;  // of the last attempt; or why there was none
  int attempts = 0;
  bool seen = false;                        // the portal may have seen one of them
  std::optional<portal::RateLimit> budget;  // what the portal's headers said
};

// Safe for concurrent use. The parts must outlive it, and its tasks.
class Attempts {
 public:
  struct Parts {
    const Clock& clock;
    Scheduler& scheduler;  // on whose thread calls go on after a wait
    Random& random;
    http::Client& client;
    portal::Budgets& budgets;
    const portal::PortalHealths& healths;
    Logger& logger;
    Metrics& metrics;
    std::size_t most_reply_bytes = 32 << 20;
  };

  explicit Attempts(Parts parts) : parts_(parts) {}

  // Why a call that comes now would not be sent: BREAKER_OPEN, CREDENTIAL_QUARANTINED. To refuse it before it costs
  // anything; Send looks again.
  absl::Status Check(const Custody::Entry& entry) const;

  // Sends the call, and again where law 6, the portal's rate limit and health, and the deadline allow it. `permit` is
  // for the first attempt, which gets one by itself when it is unset. The last attempt is the answer when another one
  // is not allowed any more. Never holds a thread while it waits. Beside the client's refusals those of
  // Budgets::Acquire, BREAKER_OPEN, CREDENTIAL_QUARANTINED, CREDENTIAL_DISABLED (the lease of the key's token has ended
  // while the call waited); INTERNAL for a call that is not of this entry and claim.
  Task<Dispatched> Send(Dispatch dispatch, std::optional<portal::Permit> permit) const;

 private:
  // What one attempt needs beside its permit.
  struct Passes {
    LockoutGuard::Pass key;
    portal::Breaker::Pass portal;
  };

  // How far one attempt came.
  enum class Sent { kNotAdmitted, kEnded, kMistimed };  // mistimed: the portal may have refused the signature's time

  // Passes, or a refusal. Nothing when it must wait; `waker` as for LockoutGuard::Admit, by the name of `dispatch`.
  std::optional<absl::StatusOr<Passes>> Admit(const Dispatch& dispatch, portal::PortalHealth& health,
                                              LockoutGuard::Waker waker) const;
  Task<absl::StatusOr<Passes>> AwaitAdmission(const Dispatch* dispatch, portal::PortalHealth* health) const;
  // One attempt. `sent` has its result afterwards.
  Task<Sent> SendOnce(const Dispatch* dispatch, portal::PortalHealth* health, portal::Permit permit,
                      Dispatched* sent) const;
  void Learn(const Dispatch& dispatch, portal::PortalHealth& health, const http::TransferResult& result,
             absl::Duration start, Passes passes) const;
  // When the next attempt may begin; nothing when there is to be none.
  std::optional<absl::Duration> WhenToRepeat(const Dispatch& dispatch, portal::PortalHealth& health,
                                             const Dispatched& sent, bool mistimed) const;
  void Report(const Custody::Entry& entry, LockoutGuard::Change change) const;
  void Report(const portal::PortalHealth& health, std::optional<portal::Breaker::State> change) const;
  void Report(const portal::PortalHealth& health, std::optional<bool> clock_alarm) const;

  Parts parts_;
};

}  // namespace lmbroker::core
