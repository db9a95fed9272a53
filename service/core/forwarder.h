#pragma once

// The main job: one call of a service, decided, audited, signed, sent and answered. Read Forward in forwarder.cc from
// top to bottom; each step makes the type that the next one alone accepts.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "service/audit/call_audit.h"
#include "service/base/names.h"
#include "service/base/scheduler.h"
#include "service/base/task.h"
#include "service/core/attempts.h"
#include "service/core/call_context.h"
#include "service/core/custody.h"
#include "service/core/policy_holder.h"
#include "service/http/headers.h"
#include "service/http/request.h"
#include "service/portal/rate_limit.h"

namespace lmbroker::core {

struct ForwardCall {
  PortalName portal;
  std::optional<CredentialName> credential;  // unset: the one that the grant binds
  std::shared_ptr<const http::CanonicalRequest> request;
  bool idempotent = false;  // the caller says that a repeat does no harm
};

// The portal's answer, as the caller may see it. An HTTP error of the portal is an answer, too.
struct ForwardReply {
  int status = 0;
  std::vector<http::NameValue> headers;  // those of the reply allow-list
  std::string body;                      // scrubbed
  CredentialName credential;
  int attempts = 1;
  std::optional<portal::RateLimit> budget;  // what the portal's headers said
  std::string request_id;                   // of its audit records
};

// Safe for concurrent use. The parts must outlive it.
class Forwarder {
 public:
  struct Parts {
    Scheduler& scheduler;  // on whose thread calls go on after a wait
    const PolicyHolder& policy;
    const Custody& custody;
    const Attempts& attempts;
    std::size_t most_reply_bytes = 32 << 20;
  };

  explicit Forwarder(Parts parts) : parts_(parts) {}

  // Never holds a thread while it waits. Refusals: SECRET_ENDPOINT, NO_GRANT, ACCOUNT_ENDPOINT, FIELD_INVALID
  // (`credential`), UNKNOWN_CREDENTIAL, CREDENTIAL_DISABLED, CREDENTIAL_QUARANTINED, AUDIT_UNAVAILABLE,
  // PORTAL_UNREACHABLE, PORTAL_ERROR (not HTTP, or nothing that can be scrubbed), REPLY_TOO_LARGE, QUEUE_FULL,
  // DEADLINE, OUTCOME_UNKNOWN (sent, no answer, not repeatable); CANCELLED. `context` must live until the task ends.
  Task<absl::StatusOr<ForwardReply>> Forward(CallContext& context, ForwardCall call) const;

 private:
  Parts parts_;
};

}  // namespace lmbroker::core
