#include "service/rpc/edge.h"

#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/rpc/authenticate.h"
#include "service/rpc/grpc_call.h"

namespace lmbroker::rpc {
namespace {

absl::Status ShutOut() {
  return Refuse(Reason::kNoIdentity,
                "The caller's identity was revoked while the call was under way; ask the broker's operators for "
                "another one.");
}

}  // namespace

void Edge::RecallCalls() {
  parts_.scheduler.Post([calls = calls_] { calls->Recall(); });
}

Call::Call(Edge& edge, std::string_view method, const Incoming& incoming, CallStream& stream)
    : edge_(edge),
      stream_(stream),
      peer_(incoming.peer),
      row_(FindMethod(method)),
      method_(method),
      start_(incoming.arrival),
      audit_(edge.parts_.audit, edge.parts_.refusals, edge.parts_.clock,
             {.id = RandomUuid(edge.ids_), .peer = peer_->address, .method = std::string(method)}),
      context_{.request_id = audit_.fields().id,
               .deadline = start_ + AllowedTime(incoming),
               .cancelled = stop_.get_token(),
               .audit = audit_,
               .memory = ByteLease(edge.parts_.memory)} {
  edge_.parts_.metrics.CallStarted();
  edge_.calls_->Add(*this);
}

bool Call::KnowsToken(const h2::RequestHead& head, absl::AnyInvocable<void()> then) {
  identity::TokenVerifier* const tokens = edge_.parts_.tokens;
  if (tokens == nullptr) return true;
  const auto bearer = BearerToken(head);
  if (!bearer.has_value()) return true;
  token_ = bearer->ok() ? tokens->Judge(**bearer,
                                        [this, then = std::move(then)](identity::Verdict verdict) mutable {
                                          token_ = std::move(verdict);
                                          then();
                                        })
                        : std::optional<identity::Verdict>(bearer->status());
  return token_.has_value();
}

absl::Status Call::Admit() {
  if (context_.cancelled.stop_requested()) return Cancelled();  // while its token was judged
  if (row_ == nullptr) {
    return Refuse(Reason::kInternal,
                  fmt::format("The method {} is not in the broker's table, so it is closed.", method_));
  }
  audit::Record& record = audit_.fields();
  const auto engine = edge_.parts_.policy.Get();
  ASSIGN_OR_RETURN(Authenticated who, Authenticate(*peer_, token(), *engine, edge_.parts_.standing));
  if (who.caller.identity.empty() || (who.caller.is_operator && who.caller.name.empty())) {
    return Refuse(Reason::kInternal, "The caller's identity contradicts itself, so the call is refused.");
  }
  context_.caller = std::move(who.caller);
  record.identity = context_.caller.identity;
  record.certificate_identity = std::move(who.certificate_identity);
  record.caller = context_.caller.name;
  if (edge_.draining_.load(std::memory_order_relaxed)) {
    return Refuse(Reason::kDraining, "This broker is shutting down; call again, another one will answer.",
                  {.retry_after = absl::Seconds(1)});
  }
  const std::string& holder = context_.caller.name.empty() ? context_.caller.identity : context_.caller.name;
  ASSIGN_OR_RETURN(place_, edge_.in_flight_.Enter(holder));
  admitted_ = true;
  return absl::OkStatus();
}

void Call::JudgeAgain() {
  if (!admitted_ || JudgeStanding(*peer_, token(), edge_.parts_.standing).ok()) return;
  shut_out_.store(true, std::memory_order_relaxed);
  Cancel();
}

// A caller that does not read would keep what is being written to it.
void Call::CutOff() {
  if (shut_out_.load(std::memory_order_relaxed)) stream_.CutStream();
}

void Call::Recall() {
  if (admitted_ && row_->work != Work::kLocal && !ended_.load(std::memory_order_relaxed)) stream_.CutStream();
}

absl::Status Call::HoldRequest(std::size_t bytes) {
  return context_.memory.TryResize(bytes) ? absl::OkStatus() : NoRoomFor("the request");
}

absl::Status Call::CheckAudience() const {
  if (row_->audience == Audience::kAnyIdentity || context_.caller.is_operator) return absl::OkStatus();
  return Refuse(Reason::kNoGrant, fmt::format("The broker's policy keeps {} for operators; ask one.", method_));
}

absl::Status Call::EndOf(const absl::Status& ended) const {
  if (absl::IsCancelled(ended) && shut_out_.load(std::memory_order_relaxed)) return ShutOut();
  // Law 4, for handlers to come: what succeeded without an intent is not told to have succeeded.
  if (ended.ok() && !audit_.has_intent()) return Refuse(Reason::kInternal, "The call was not audited.");
  return ended;
}

WireStatus Call::End(const absl::Status& ended) {
  const Edge::Parts& parts = edge_.parts_;
  const absl::Status status = EndOf(ended);
  ended_.store(true, std::memory_order_relaxed);
  const bool recorded = audit_.Outcome(status);
  place_ = {};
  const absl::Duration took = parts.clock.Monotonic() - start_;
  parts.metrics.CallEnded(method_, status.code(), took);
  const auto reason = ReasonOf(status);
  if (reason.has_value()) parts.metrics.Refused(*reason);
  const std::string_view name = reason.has_value() ? ReasonName(*reason) : "";
  if (recorded) LogEnd(status, name, took);  // else a stranger's flood would fill the log instead of the audit
  // What only we may see of a defect: the caller gets its request id.
  const bool defect = !status.ok() && !absl::IsCancelled(status) && (name.empty() || reason == Reason::kInternal);
  if (defect) parts.logger.Error("defect", {{"id", context_.request_id}, {"status", status.ToString()}});
  return ToWire(status, context_.request_id);
}

void Call::LogEnd(const absl::Status& status, std::string_view reason, absl::Duration took) {
  const audit::Record& record = audit_.fields();
  edge_.parts_.logger.Info("request", {{"id", record.id},
                                       {"method", method_},
                                       {"caller", record.caller},
                                       {"identity", record.identity},
                                       {"portal", record.portal},
                                       {"rule", record.rule},
                                       {"credential", record.credential},
                                       {"code", CodeName(status.code())},
                                       {"reason", reason},
                                       {"http_status", record.http_status.value_or(0)},
                                       {"attempts", record.attempts.value_or(0)},
                                       {"duration_us", absl::ToInt64Microseconds(took)}});
}

}  // namespace lmbroker::rpc
