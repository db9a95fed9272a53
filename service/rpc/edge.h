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
#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "service/audit/audit_log.h"
#include "service/audit/call_audit.h"
#include "service/audit/refusal_limiter.h"
#include "service/base/byte_budget.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/random.h"
#include "service/core/call_context.h"
#include "service/core/policy_holder.h"
#include "service/identity/standing.h"
#include "service/identity/token_verifier.h"
#include "service/rpc/in_flight.h"
#include "service/rpc/live_calls.h"
#include "service/rpc/method_table.h"

namespace lmbroker::rpc {

class Call;  // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

// Admits calls. Safe for concurrent use; the parts must outlive it and every call.
class Edge {
 public:
  struct Parts {
    const Clock& clock;
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

  // Refuses new calls with DRAINING from now on.
  void StartDraining() { draining_.store(true, std::memory_order_relaxed); }

  const Parts& parts() const { return parts_; }
  // The calls under way, on the queue's thread alone; may outlive this when there are none.
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

// One RPC. Owned by its reactor; lives until gRPC is done with it.
class Call final : public LiveCall {
 public:
  // `method` is the full gRPC name, as in the method table.
  Call(Edge& edge, std::string_view method, const grpc::ServerContextBase& context);

  // Whether what there is to know of the call's token is known. If not, `then` is called once it is, later, on the same
  // thread. First of all.
  bool KnowsToken(absl::AnyInvocable<void()> then);
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

  // The end: outcome to the audit, a log line, metrics. Call once; gives what gRPC is to be told.
  grpc::Status End(const absl::Status& ended);

 private:
  absl::Duration DeadlineOf(const grpc::ServerContextBase& context) const;
  const identity::Verdict* token() const { return token_.has_value() ? &*token_ : nullptr; }
  void LogEnd(const absl::Status& status, std::string_view reason, absl::Duration took);

  Edge& edge_;
  const grpc::ServerContextBase& grpc_context_;
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
};

}  // namespace lmbroker::rpc
