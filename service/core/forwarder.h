#pragma once

// The main job: one call of a service, decided, audited, signed, sent and answered. Read Forward in forwarder.cc from
// top to bottom; each step makes the type that the next one alone accepts.

#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/audit/call_audit.h"
#include "service/base/names.h"
#include "service/base/scheduler.h"
#include "service/base/task.h"
#include "service/core/attempts.h"
#include "service/core/call_context.h"
#include "service/core/caller_rates.h"
#include "service/core/custody.h"
#include "service/core/forward_reply.h"
#include "service/core/policy_holder.h"
#include "service/core/shared_reads.h"
#include "service/http/request.h"
#include "service/portal/budgets.h"

namespace lmbroker::core {

struct ForwardCall {
  PortalName portal;
  std::optional<CredentialName> credential;  // unset: the one that the grant binds
  std::shared_ptr<const http::CanonicalRequest> request;
  bool idempotent = false;  // the caller says that a repeat does no harm
  bool fresh = false;       // the caller wants no reply that was asked for before, where replies are shared

  bool repeatable() const { return idempotent || request->method() == http::Method::kGet; }
};

// Where a streamed reply goes, one part after the other. On the scheduler's thread.
class ReplySink {
 public:
  // Told when there is room for the next part; false: the caller has left.
  using Done = absl::AnyInvocable<void(bool)>;
  virtual ~ReplySink() = default;

  virtual void Head(ForwardReply head, Done done) = 0;  // without its body
  virtual void Chunk(std::string bytes, Done done) = 0;
};

// Safe for concurrent use. The parts must outlive it.
class Forwarder {
 public:
  struct Parts {
    Scheduler& scheduler;  // on whose thread calls go on after a wait
    const PolicyHolder& policy;
    const Custody& custody;
    const Attempts& attempts;
    portal::Budgets& budgets;
    CallerRates& rates;
    SharedReads& reads;
    std::size_t most_reply_bytes = 32 << 20;
  };

  explicit Forwarder(Parts parts) : parts_(parts) {}

  // Never holds a thread while it waits. Where a grant says `share`, a GET may be given the reply to another call under
  // that grant, which says its age then. Refusals: SECRET_ENDPOINT, NO_GRANT, ACCOUNT_ENDPOINT, FIELD_INVALID
  // (`credential`), UNKNOWN_CREDENTIAL, CREDENTIAL_DISABLED, CREDENTIAL_QUARANTINED, CALLER_LIMIT, BUDGET_EXHAUSTED,
  // DEADLINE_TOO_SHORT (both for the portal's rate limit, of which each attempt takes its part), AUDIT_UNAVAILABLE,
  // PORTAL_UNREACHABLE, PORTAL_ERROR (not HTTP, or nothing that can be scrubbed), REPLY_TOO_LARGE, QUEUE_FULL,
  // DEADLINE, OUTCOME_UNKNOWN (sent, no answer, not repeatable); CANCELLED. `context` must live until the task ends.
  Task<absl::StatusOr<ForwardReply>> Forward(CallContext& context, ForwardCall call) const;

  // The same for a reply of any length, which goes to `sink` as it comes: no more of it than one buffer is held. An
  // error after the head is the end of a reply that was cut. `sink` must live until the task ends.
  Task<absl::Status> ForwardStream(CallContext& context, ForwardCall call, ReplySink& sink) const;

 private:
  // A call that may go out, and with which key.
  struct Cleared {
    policy::AuthorizedCall call;
    std::shared_ptr<const Custody::Entry> entry;
    int weight = 1;        // of the caller, among those who wait for the portal's rate limit
    std::string read_key;  // of a read that may be shared (read_key.h), else empty
  };
  // What a shared read needs to be sent: its own, for whoever began it may leave.
  struct SharedCall {
    Cleared cleared;
    std::string caller;
    std::string request_id;
    absl::Duration wait_until;  // for the rate limit
    absl::Duration deadline;
    std::stop_token cancelled;
  };
  // Judges the call, looks its credential up and counts it; tells the audit what it is about.
  absl::StatusOr<Cleared> Clear(CallContext& context, const ForwardCall& call) const;

  // For one caller alone.
  Task<absl::StatusOr<ForwardReply>> SendAlone(CallContext& context, ForwardCall call, Cleared cleared) const;
  // A kept reply, that of a call in flight, or that of a new call which others may join (forward_shared.cc).
  Task<absl::StatusOr<ForwardReply>> ReadShared(CallContext& context, ForwardCall call, Cleared cleared) const;
  Task<Answer> SendForAll(SharedCall shared) const;
  void Begin(const std::shared_ptr<SharedReads::Read>& read, const CallContext& context, const Cleared& cleared) const;

  // The answer that the portal gave to a call, scrubbed; without the id of a request.
  Answer AnswerOf(Dispatched sent, const Cleared& cleared, bool repeatable) const;
  // What the call takes from the portal's rate limit. Refers to both.
  static portal::BudgetClaim ClaimOf(const CallContext& context, const ForwardCall& call, int weight);

  Parts parts_;
};

}  // namespace lmbroker::core
