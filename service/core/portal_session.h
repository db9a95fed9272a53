#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/audit/record.h"
#include "service/base/clock.h"
#include "service/base/names.h"
#include "service/core/attempts.h"
#include "service/core/call_context.h"
#include "service/core/caller_rates.h"
#include "service/core/custody.h"
#include "service/core/policy_holder.h"
#include "service/core/portals.h"
#include "service/core/shared_reads.h"
#include "service/http/client.h"
#include "service/policy/engine.h"
#include "service/portal/budgets.h"
#include "service/portal/errors.h"

namespace lmbroker::core {

// The broker's own requests to a portal within one call of administration: plain blocking code for a pool thread. A
// session exists only once the call's intent is recorded, and on disk when it is to change something, so nothing is
// sent unaudited (law 4). Used by one thread at a time.
class PortalSession {
 public:
  struct Parts {
    const Clock& clock;
    const PolicyHolder& policy;
    const Portals& portals;
    const Custody& custody;
    const Attempts& attempts;
    CallerRates& rates;
    SharedReads& reads;
  };

  // With the portal's master. `main` is the request that the call is about: the audit describes it, and only if it
  // changes something may the session. UNKNOWN_PORTAL, NO_MASTER, CREDENTIAL_DISABLED, CREDENTIAL_QUARANTINED,
  // CALLER_LIMIT, AUDIT_UNAVAILABLE. The context must outlive the session.
  static absl::StatusOr<PortalSession> Begin(const Parts& parts, CallContext& context, const policy::TokenGrant& grant,
                                             const http::CanonicalRequest& main);
  // With the key of `entry`, whatever its state: for a probe.
  static absl::StatusOr<PortalSession> BeginWith(const Parts& parts, CallContext& context,
                                                 const policy::TokenGrant& grant, const http::CanonicalRequest& main,
                                                 std::shared_ptr<const Custody::Entry> entry);

  // What an earlier call, perhaps of an earlier run, was allowed and recorded its intent for.
  struct Origin {
    PortalName portal;
    policy::Verb verb;
    std::string caller;
    std::string rule;
    std::string request_id;
  };
  // For what is left of that call's work: with the portal's master, in `time`, whatever the policy says by now, since
  // what was begun must come to its end. Writes no record, as a detached one. `cancelled` ends it, and must when the
  // keys are recalled (Custody::recalled). UNKNOWN_PORTAL, NO_MASTER, SEALED, CREDENTIAL_DISABLED,
  // CREDENTIAL_QUARANTINED.
  static absl::StatusOr<PortalSession> Resume(const Parts& parts, const Origin& origin, absl::Duration time,
                                              std::stop_token cancelled);

  // Sends `request` and waits, as Attempts::Send does; an answer with any HTTP status is a success here. What a repeat
  // does not harm is repeated when it was lost on the way, all else only when the portal has not seen it (law 6). For
  // the portal's rate limit it waits some seconds at most: a wait holds a thread.
  // PORTAL_UNREACHABLE, DEADLINE, QUEUE_FULL, REPLY_TOO_LARGE, PORTAL_ERROR (not HTTP), CANCELLED, BUDGET_EXHAUSTED,
  // DEADLINE_TOO_SHORT, BREAKER_OPEN, CREDENTIAL_QUARANTINED; in place of all these OUTCOME_UNKNOWN for a change that
  // the portal may have seen.
  absl::StatusOr<http::Response> Exchange(http::CanonicalRequest request, portal::Effect effect);

  // The same, but an answer that says no is a refusal, too (portal::CheckReply).
  absl::StatusOr<http::Response> Send(http::CanonicalRequest request, portal::Effect effect, Reason not_found);

  // The same session with an end of its own, for what must be done even though the caller's time is up or the caller is
  // gone. Independent of the context; cancelled when the keys are recalled.
  PortalSession Detached(absl::Duration time) const;
  // The same session with what is reserved of the rate limit: for what makes the portal safer, or ends what was begun.
  // A session that toggles, rotates or deletes has it anyway.
  PortalSession Urgent() const;
  // The same session for a probe: one attempt, whatever is held against the portal or the key.
  PortalSession Probing() const;
  // The same session with an earlier end: at that part of the time that is left.
  PortalSession WithShareOfTime(double share) const;

  // The same session with another key.
  PortalSession With(std::shared_ptr<const Custody::Entry> entry) const;
  // Lets go of the key that it has, and goes on with that of the portal's master as it is by now. Errors as of Begin;
  // then it has what it had.
  absl::Status TakeMaster();
  // The same session with an earlier end, at that time on Clock::Monotonic.
  PortalSession EndingBy(absl::Duration end) const;
  // The same session for work of the broker's own, which no caller can give up: cancelled when the keys are recalled.
  PortalSession Recallable() const;

  // Whether a session with the portal's master could begin: UNKNOWN_PORTAL, NO_MASTER, SEALED, CREDENTIAL_DISABLED,
  // CREDENTIAL_QUARANTINED.
  static absl::Status CheckMaster(const Parts& parts, const PortalName& portal);

  const PortalName& portal() const { return entry_->record.name.portal(); }

 private:
  PortalSession(const Parts& parts, policy::TokenGrant grant, const Origin& origin,
                std::shared_ptr<const policy::Engine> engine, std::shared_ptr<const Custody::Entry> entry,
                absl::Duration deadline, std::stop_token cancelled);
  PortalSession(const Parts& parts, CallContext& context, policy::TokenGrant grant,
                std::shared_ptr<const policy::Engine> engine, std::shared_ptr<const Custody::Entry> entry,
                bool may_change, int weight);

  // Sends it and waits on this thread.
  Dispatched Await(const policy::AuthorizedCall& call, portal::Repeatable repeatable) const;
  http::Response Take(http::Response reply);
  absl::Status CheckTime() const;

  Parts parts_;
  audit::Record* record_;  // null when detached
  policy::TokenGrant grant_;
  std::shared_ptr<const policy::Engine> engine_;
  std::shared_ptr<const Custody::Entry> entry_;
  bool may_change_;
  std::string caller_;
  int weight_;
  portal::Priority priority_;
  bool probe_ = false;
  std::string request_id_;
  absl::Duration deadline_;
  std::stop_token cancelled_;
};

}  // namespace lmbroker::core
