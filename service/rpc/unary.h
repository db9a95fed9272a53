#pragma once

// The adaptor between gRPC's completion queue and a handler of three functions:
//   parse: const Request& → absl::StatusOr<Input>                      the form, the same for everyone
//   run:   (core::CallContext&, Input) → absl::StatusOr<Output>        the work; it may block
//          or a Task of that                                           … or it waits without a thread
//   write: (Output, Response&) → void                                  the answer

#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <absl/status/statusor.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/task.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/edge.h"

namespace lmbroker::rpc {

// One RPC, as its service describes it.
template <class RequestType, class ResponseType, class Take, class Parse, class Run, class Write>
struct UnaryMethod {
  using Request = RequestType;
  using Response = ResponseType;
  using Input = typename std::invoke_result_t<Parse, const Request&>::value_type;

  Edge& edge;
  CallQueue& queue;
  std::string_view name;  // as in the method table
  Take take;              // asks gRPC for the next call
  Parse parse;
  Run run;
  Write write;
};

// One call of it, from before it comes until gRPC is done with it. Made, told and destroyed on the queue's thread; its
// work may end on another one.
template <class Method>
class UnaryCall {
 public:
  // Waits for the next call.
  static void Await(std::shared_ptr<const Method> method) { new UnaryCall(std::move(method)); }

 private:
  using Input = typename Method::Input;
  using Response = typename Method::Response;

  explicit UnaryCall(std::shared_ptr<const Method> method) : method_(std::move(method)) {
    context_.AsyncNotifyWhenDone(on_done_.tag());
    method_->take(&context_, &request_, &responder_, method_->queue.queue(), on_arrived_.tag());
  }

  void OnArrived(bool ok) {
    if (!ok) return Delete();  // the server shuts down
    Await(method_);
    method_->queue.Enter();
    call_.emplace(method_->edge, method_->name, context_);
    auto input = Prepare();
    input.ok() ? Work(*std::move(input)) : Conclude(input.status());
  }

  absl::StatusOr<Input> Prepare() {
    RETURN_IF_ERROR(call_->Admit());
    auto input = method_->parse(request_);
    RETURN_IF_ERROR(input.status());
    RETURN_IF_ERROR(call_->CheckAudience());
    return input;
  }

  void Work(Input input) {
    using Result = std::invoke_result_t<decltype(method_->run), core::CallContext&, Input>;
    if constexpr (requires { typename Result::promise_type; }) {
      Start(method_->run(call_->context(), std::move(input)),
            [this](auto output) { this->ConcludeWith(std::move(output)); });
    } else {
      const bool accepted = call_->workers().TryPost([this, ready = std::move(input)]() mutable {
        ConcludeWith(method_->run(call_->context(), std::move(ready)));
      });
      if (accepted) return;
      Conclude(Refuse(Reason::kQueueFull, "The broker's queue for administration is full; try again later.",
                      {.retry_after = absl::Seconds(1)}));
    }
  }

  template <class Output>
  void ConcludeWith(absl::StatusOr<Output> output) {
    const absl::Status status = output.status();
    if (status.ok()) method_->write(*std::move(output), response_);
    Conclude(status);
  }

  // Touch nothing afterwards: the queue's thread may be told, and destroy this, before it returns.
  void Conclude(const absl::Status& status) {
    const grpc::Status answer = call_->End(status);
    if (answer.ok()) {
      responder_.Finish(response_, answer, on_finished_.tag());
    } else {
      responder_.FinishWithError(answer, on_finished_.tag());
    }
  }

  // gRPC's last words: the answer is out (or never will be), and the call is over (or was cancelled), in any order.
  void OnFinished(bool) { OnLastWord(); }
  void OnDone(bool) {
    if (context_.IsCancelled()) call_->Cancel();
    OnLastWord();
  }
  void OnLastWord() {
    if (++last_words_ < 2) return;
    method_->queue.Leave();
    Delete();
  }
  void Delete() { delete this; }

  const std::shared_ptr<const Method> method_;
  grpc::ServerContext context_;
  typename Method::Request request_;
  Response response_;
  grpc::ServerAsyncResponseWriter<Response> responder_{&context_};
  std::optional<Call> call_;
  int last_words_ = 0;
  EventOf<UnaryCall, &UnaryCall::OnArrived> on_arrived_{*this};
  EventOf<UnaryCall, &UnaryCall::OnFinished> on_finished_{*this};
  EventOf<UnaryCall, &UnaryCall::OnDone> on_done_{*this};
};

// For work that has no answer but its success.
inline absl::StatusOr<std::monostate> Done(const absl::Status& status) {
  if (!status.ok()) return status;
  return std::monostate{};
}
inline constexpr auto kWriteNothing = [](std::monostate, auto&) {};

// How many calls of a method may come at once before the queue's thread is back.
inline constexpr int kAwaitedRare = 4;
inline constexpr int kAwaitedOften = 64;

// Serves one unary RPC of `service` from `queue`. `request_next` is the service's generated Request… method.
template <class Service, class Base, class Request, class Response, class Parse, class Run, class Write>
void Serve(Edge& edge, CallQueue& queue, Service& service,
           void (Base::*request_next)(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*,
                                      grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
           std::string_view name, Parse parse, Run run, Write write, int awaited = kAwaitedRare) {
  const auto take = [&service, request_next](grpc::ServerContext* context, Request* request,
                                             grpc::ServerAsyncResponseWriter<Response>* responder,
                                             grpc::ServerCompletionQueue* from, void* tag) {
    (service.*request_next)(context, request, responder, from, from, tag);
  };
  using Method = UnaryMethod<Request, Response, decltype(take), Parse, Run, Write>;
  const std::shared_ptr<const Method> method(
      new Method{edge, queue, name, take, std::move(parse), std::move(run), std::move(write)});
  for (int i = 0; i < awaited; ++i) UnaryCall<Method>::Await(method);
}

}  // namespace lmbroker::rpc
