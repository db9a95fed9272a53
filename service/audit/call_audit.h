#pragma once

#include <cstddef>
#include <string_view>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "service/audit/audit_log.h"
#include "service/audit/record.h"
#include "service/audit/refusal_limiter.h"
#include "service/base/clock.h"

namespace lmbroker::audit {

// The two records of one RPC, intent and outcome, and the promise that both are written (law 4). Used by one thread at
// a time.
class CallAudit {
 public:
  // `known` is what the edge knows: id, caller, identity, peer, method. The log, the limiter and the clock must outlive
  // this.
  CallAudit(AuditLog& log, RefusalLimiter& refusals, const Clock& clock, Record known);
  // A call that ends without an outcome is a defect: it is recorded as INTERNAL, "ABANDONED".
  ~CallAudit();
  CallAudit(const CallAudit&) = delete;
  CallAudit& operator=(const CallAudit&) = delete;

  // What becomes known on the way: portal, resource, rule, credential, digests, http_status, attempts. Kind, time,
  // decision, code, reason and duration are written by this class.
  Record& fields() { return record_; }

  // Writes the intent; call before anything leaves, at most once. That it is called says that the call was allowed.
  // When `done` gets an error, nothing may be sent. Coroutines await an IntentDurable instead (intent_durable.h).
  void Intent(Durability durability, AuditLog::Done done);
  // The same for threads that may block; waits at most as long as AuditLog promises.
  absl::Status IntentAndWait(Durability durability);

  // Whether the call has an intent already.
  bool has_intent() const { return intent_written_; }

  // Writes the outcome, whatever it is; call exactly once. The intent comes first when there was none: a call refused
  // before it had one is a pair, too, unless its caller had so many refused that they are only counted: false.
  bool Outcome(const absl::Status& status);

 private:
  bool End(absl::StatusCode code, std::string_view reason);
  std::size_t PairBytes() const;
  void Prepare(Kind kind, Decision decision);

  AuditLog& log_;
  RefusalLimiter& refusals_;
  const Clock& clock_;
  const absl::Duration start_;
  Record record_;
  bool intent_written_ = false;
  bool ended_ = false;
};

}  // namespace lmbroker::audit
