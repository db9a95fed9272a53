#pragma once

// A unary RPC of three functions:
//   parse: Request& → absl::StatusOr<Input>                            the form, the same for everyone
//   run:   (core::CallContext&, Input) → absl::StatusOr<Output>        the work; it may block
//          or a Task of that                                           … or it waits without a thread
//   write: (Output, Response&) → void                                  the answer

#include <cstddef>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <absl/status/statusor.h>
#include <grpcpp/support/async_unary_call.h>

#include "service/base/error.h"
#include "service/base/task.h"
#include "service/rpc/queued_call.h"

namespace lmbroker::rpc {

template <class Method, class Response>
class UnaryCall final : public QueuedCall<UnaryCall<Method, Response>, Method> {
  using Base = QueuedCall<UnaryCall<Method, Response>, Method>;
  friend Base;

  explicit UnaryCall(std::shared_ptr<const Method> method) : Base(std::move(method)) {}
  ~UnaryCall() = default;

  void Work(typename Method::Input input) {
    const auto& run = this->method().run;
    using Result = std::invoke_result_t<decltype(run), core::CallContext&, typename Method::Input>;
    if constexpr (requires { typename Result::promise_type; }) {
      Start(run(this->call().context(), std::move(input)),
            [this](auto output) { this->ConcludeWith(std::move(output)); });
    } else {
      const bool accepted = this->call().workers().TryPost([this, &run, ready = std::move(input)]() mutable {
        this->ConcludeWith(run(this->call().context(), std::move(ready)));
      });
      if (accepted) return;
      this->Conclude(Refuse(Reason::kQueueFull, "The broker's queue for administration is full; try again later.",
                            {.retry_after = absl::Seconds(1)}));
    }
  }

  template <class Output>
  void ConcludeWith(absl::StatusOr<Output> output) {
    const absl::Status status = output.status();
    if (status.ok()) this->method().write(*std::move(output), response_);
    this->Conclude(status);
  }

  void Answer(const grpc::Status& status) {
    if (status.ok()) {
      if (this->call().context().memory.bytes() > kReadAtOnce) this->AbandonAfterDeadline();
      const Response response = std::move(response_);  // gRPC makes a copy: a large answer is not to be held twice
      this->responder().Finish(response, status, this->finished_tag());
    } else {
      this->responder().FinishWithError(status, this->finished_tag());
    }
  }

  // What HTTP/2 takes of an answer whether its caller reads or not.
  static constexpr std::size_t kReadAtOnce = std::size_t{64} << 10;

  Response response_;
};

// For work that has no answer but its success.
inline absl::StatusOr<std::monostate> Done(const absl::Status& status) {
  if (!status.ok()) return status;
  return std::monostate{};
}
inline constexpr auto kWriteNothing = [](std::monostate, auto&) {};

// Serves one unary RPC of `service` from `queue`. `request_next` is the service's generated Request… method.
template <class Service, class Base, class Request, class Response, class Parse, class Run, class Write>
void Serve(Edge& edge, CallQueue& queue, Service& service,
           void (Base::*request_next)(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*,
                                      grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
           std::string_view name, Parse parse, Run run, Write write, int awaited = kAwaitedRare) {
  using Responder = grpc::ServerAsyncResponseWriter<Response>;
  const auto take = [&service, request_next](grpc::ServerContext* context, Request* request, Responder* responder,
                                             grpc::ServerCompletionQueue* from, void* tag) {
    (service.*request_next)(context, request, responder, from, from, tag);
  };
  using Method = RpcMethod<Request, Responder, decltype(take), Parse, Run, Write>;
  const std::shared_ptr<const Method> method(
      new Method{edge, queue, name, take, std::move(parse), std::move(run), std::move(write)});
  for (int i = 0; i < awaited; ++i) UnaryCall<Method, Response>::Await(method);
}

}  // namespace lmbroker::rpc
