#pragma once

// What every RPC has in common, from its first byte to its outcome. Handlers say only what is theirs: the form of the
// request, the work, and the shape of the answer.

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/time/time.h>

#include "service/audit/audit_log.h"
#include "service/audit/call_audit.h"
#include "service/audit/refusal_limiter.h"
#include "service/base/byte_budget.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/random.h"
#include "service/base/scheduler.h"
#include "service/core/call_context.h"
#include "service/core/policy_holder.h"
#include "service/h2/request_head.h"
#include "service/identity/standing.h"
#include "service/identity/token_verifier.h"
#include "service/rpc/in_flight.h"
#include "service/rpc/incoming.h"
#include "service/rpc/live_calls.h"
#include "service/rpc/method_table.h"
#include "service/rpc/status.h"

namespace lmbroker::rpc {

class Call;  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

// The way back to a call's caller.
class CallStream {
 public:
  // Takes it away: the caller is told CANCELLED, and the call, soon, to end.
  virtual void CutStream() = 0;

 protected:
  ~CallStream() = default;
};

// Admits calls. Safe for concurrent use; the parts must outlive it and every call.
class Edge {
 public:
  struct Parts {
    const Clock& clock;
    Scheduler& scheduler;  // the loop that calls come on
    Random& random;
    const core::PolicyHolder& policy;
    identity::TokenVerifier* tokens;  // null: tokens in metadata mean nothing
    identity::Standing& standing;
    audit::AuditLog& audit;
    audit::RefusalLimiter& refusals;
    Executor& local_workers;   // for handlers that wait for our disk
    Executor& portal_workers;  // for handlers that wait for a portal
    Logger& logger;
    Metrics& metrics;
    ByteBudget& memory;  // what bodies may take, of all calls
  };

  Edge(Parts parts, InFlight::Limits limits) : parts_(parts), ids_(parts.random), in_flight_(limits) {}

  // Soon cancels all calls in flight that may use a key (Work other than kLocal). From any thread.
  void RecallCalls();

  // Refuses new calls with DRAINING from now on.
  void StartDraining() { draining_.store(true, std::memory_order_relaxed); }

  const Parts& parts() const { return parts_; }
  // The calls under way, on the loop's thread alone; may outlive this when there are none.
  const std::shared_ptr<LiveCalls>& calls() const { return calls_; }
  std::size_t in_flight() const { return in_flight_.total(); }

 private:
  friend class Call;

  const Parts parts_;
  BufferedRandom ids_;  // of requests
  InFlight in_flight_;
  const std::shared_ptr<LiveCalls> calls_ = std::make_shared<LiveCalls>();
  std::atomic<bool> draining_ = false;
};

// One RPC. Begins and ends on the loop's thread.
class Call final : public LiveCall {
 public:
  // `method` is the full gRPC name, as in the method table. `stream` must outlive the call.
  Call(Edge& edge, std::string_view method, const Incoming& incoming, CallStream& stream);

  // Whether what there is to know of the token in `head` is known. If not, `then` is called once it is, later, on the
  // same thread. First of all.
  bool KnowsToken(const h2::RequestHead& head, absl::AnyInvocable<void()> then);
  // Who calls, and is there room: NO_IDENTITY, BAD_TOKEN, DRAINING, QUEUE_FULL, CALLER_LIMIT; INTERNAL for a method
  // that is not in the table.
  absl::Status Admit();
  // Counts the request's bytes until the call is gone: QUEUE_FULL when there is no room for them. Once admitted.
  absl::Status HoldRequest(std::size_t bytes);
  // May this caller call the method at all: NO_GRANT. After the form of the request was judged, so that a bad form gets
  // the same answer whoever sends it.
  absl::Status CheckAudience() const;

  core::CallContext& context() { return context_; }
  // The threads for its work; for an admitted call.
  Executor& workers() { return row_->work == Work::kPortal ? edge_.parts_.portal_workers : edge_.parts_.local_workers; }

  // The caller gave up.
  void Cancel() { stop_.request_stop(); }
  void JudgeAgain() override;
  void CutOff() override;
  void Recall() override;

  // The end: outcome to the audit, a log line, metrics. Call once; gives what the caller is to be told. A success
  // without an intent is a defect and becomes INTERNAL.
  WireStatus End(const absl::Status& ended);

 private:
  // What is told of a call that ended so.
  absl::Status EndOf(const absl::Status& ended) const;
  const identity::Verdict* token() const { return token_.has_value() ? &*token_ : nullptr; }
  void LogEnd(const absl::Status& status, std::string_view reason, absl::Duration took);

  Edge& edge_;
  CallStream& stream_;
  const std::shared_ptr<const Peer> peer_;
  const MethodRow* const row_;
  const std::string_view method_;
  const absl::Duration start_;
  std::stop_source stop_;
  std::optional<identity::Verdict> token_;  // none: the call has no token that would count
  audit::CallAudit audit_;
  core::CallContext context_;
  InFlight::Place place_;
  bool admitted_ = false;
  std::atomic<bool> shut_out_ = false;  // the caller is not let in any more, and the call was told to end
  std::atomic<bool> ended_ = false;
};

}  // namespace lmbroker::rpc
