#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/server_context.h>

#include "service/base/scheduler.h"
#include "service/base/status_macros.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/edge.h"

namespace lmbroker::rpc {

// One RPC, as its service describes it; unary.h and server_stream.h say what its functions are.
template <class RequestType, class ResponderType, class Take, class Parse, class Run, class Write>
struct RpcMethod {
  using Request = RequestType;
  using Responder = ResponderType;
  using Input = typename std::invoke_result_t<Parse, Request&>::value_type;

  Edge& edge;
  CallQueue& queue;
  std::string_view name;  // as in the method table
  Take take;              // asks gRPC for the next call
  Parse parse;
  Run run;
  Write write;
};

// How many calls of a method may come at once before the queue's thread is back.
inline constexpr int kAwaitedRare = 4;
inline constexpr int kAwaitedOften = 64;

// One call of a method, from before it comes until gRPC is done with it. Made, told and destroyed on the queue's
// thread; its work may end on another one. Derived has Work(Input), which ends in Conclude(status), and Answer(status),
// which gives gRPC the call's end with `finished_tag()`.
template <class Derived, class Method>
class QueuedCall {
 public:
  // Waits for the next call.
  static void Await(std::shared_ptr<const Method> method) { new Derived(std::move(method)); }

 protected:
  const Method& method() const { return *method_; }
  Call& call() { return *call_; }  // NOLINT(bugprone-unchecked-optional-access): it is there from the arrival on
  typename Method::Responder& responder() { return responder_; }
  void* finished_tag() { return on_finished_.tag(); }

  // A caller that stops reading, and said no deadline, would keep what it does not read here for ever. Once.
  void AbandonAfterDeadline() {
    abandon_ =
        method_->queue.scheduler().AddTimer(call().context().deadline + kLastWord, [this] { context_.TryCancel(); });
  }

  // Touch nothing afterwards: the queue's thread may be told, and destroy this, before it returns.
  void Conclude(const absl::Status& status) { derived().Answer(call().End(status)); }

 private:
  friend Derived;
  explicit QueuedCall(std::shared_ptr<const Method> method) : method_(std::move(method)) {
    context_.AsyncNotifyWhenDone(on_done_.tag());
    method_->take(&context_, &request_, &responder_, method_->queue.queue(), on_arrived_.tag());
  }
  ~QueuedCall() {
    if (abandon_ != Scheduler::Timer{}) method_->queue.scheduler().CancelTimer(abandon_);
  }

  // For a call that can still say that its deadline has passed.
  static constexpr absl::Duration kLastWord = absl::Seconds(1);

  Derived& derived() { return static_cast<Derived&>(*this); }

  void OnArrived(bool ok) {
    if (!ok) return Delete();  // the server shuts down
    Await(method_);
    method_->queue.Enter();
    call_.emplace(method_->edge, method_->name, context_);
    if (call().KnowsToken([this] { Proceed(); })) Proceed();
  }

  void Proceed() {
    auto input = Prepare();
    input.ok() ? derived().Work(*std::move(input)) : Conclude(input.status());
  }

  absl::StatusOr<typename Method::Input> Prepare() {
    RETURN_IF_ERROR(call().Admit());
    RETURN_IF_ERROR(call().HoldRequest(request_.ByteSizeLong()));
    auto input = method_->parse(request_);
    RETURN_IF_ERROR(input.status());
    RETURN_IF_ERROR(call().CheckAudience());
    return input;
  }

  // gRPC's last words: the answer is out (or never will be), and the call is over (or was cancelled), in any order.
  void OnFinished(bool) { OnLastWord(); }
  void OnDone(bool) {
    if (context_.IsCancelled()) call().Cancel();
    OnLastWord();
  }
  void OnLastWord() {
    if (++last_words_ < 2) return;
    method_->queue.Leave();
    Delete();
  }
  void Delete() { delete &derived(); }

  const std::shared_ptr<const Method> method_;
  grpc::ServerContext context_;
  typename Method::Request request_;
  typename Method::Responder responder_{&context_};
  std::optional<Call> call_;
  int last_words_ = 0;
  Scheduler::Timer abandon_;
  EventOf<QueuedCall, &QueuedCall::OnArrived> on_arrived_{*this};
  EventOf<QueuedCall, &QueuedCall::OnFinished> on_finished_{*this};
  EventOf<QueuedCall, &QueuedCall::OnDone> on_done_{*this};
};

}  // namespace lmbroker::rpc
