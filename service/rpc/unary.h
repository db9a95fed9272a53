#pragma once

// The adaptor between gRPC's callback API and a handler of three functions:
//   parse: const Request& → absl::StatusOr<Input>                      the form, the same for everyone
//   run:   (core::CallContext&, Input) → absl::StatusOr<Output>        the work; for ServeAsync a Task of that
//   write: (Output, Response&) → void                                  the answer

#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <absl/status/statusor.h>
#include <grpcpp/server_context.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/task.h"
#include "service/rpc/edge.h"

namespace lmbroker::rpc {

template <class Request, class Response, class Parse, class Run, class Write>
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  UnaryCall(Edge& edge, std::string_view method, grpc::CallbackServerContext* context, const Request* request,
            Response* response, Parse parse, Run run, Write write)
      : call_(edge, method, *context),
        request_(*request),
        response_(*response),
        parse_(std::move(parse)),
        run_(std::move(run)),
        write_(std::move(write)) {}

  // On the pool, since the work blocks.
  void BeginBlocking() {
    auto input = Prepare();
    if (!input.ok()) return Conclude(input.status());
    const bool accepted = call_.workers().TryPost(
        [this, ready = *std::move(input)]() mutable { ConcludeWith(run_(call_.context(), std::move(ready))); });
    if (!accepted) {
      Conclude(Refuse(Reason::kQueueFull, "The broker's queue for administration is full; try again later.",
                      {.retry_after = absl::Seconds(1)}));
    }
  }

  // On this thread until the first wait, then wherever the awaited thing ends.
  void BeginAsync() {
    auto input = Prepare();
    if (!input.ok()) return Conclude(input.status());
    Start(run_(call_.context(), *std::move(input)), [this](auto output) { this->ConcludeWith(std::move(output)); });
  }

  void OnCancel() override { call_.Cancel(); }
  void OnDone() override { delete this; }  // gRPC's word that nothing touches this reactor any more

 private:
  using Input = typename std::invoke_result_t<Parse, const Request&>::value_type;

  absl::StatusOr<Input> Prepare() {
    RETURN_IF_ERROR(call_.Admit());
    auto input = parse_(request_);
    RETURN_IF_ERROR(input.status());
    RETURN_IF_ERROR(call_.CheckAudience());
    return input;
  }

  template <class Output>
  void ConcludeWith(absl::StatusOr<Output> output) {
    const absl::Status status = output.status();
    if (status.ok()) write_(*std::move(output), response_);
    Conclude(status);
  }

  void Conclude(const absl::Status& status) { Finish(call_.End(status)); }

  Call call_;
  const Request& request_;
  Response& response_;
  Parse parse_;
  Run run_;
  Write write_;
};

// For work that has no answer but its success.
inline absl::StatusOr<std::monostate> Done(const absl::Status& status) {
  if (!status.ok()) return status;
  return std::monostate{};
}
inline constexpr auto kWriteNothing = [](std::monostate, auto&) {};

// Serves one unary RPC whose work blocks (token administration: rare).
template <class Request, class Response, class Parse, class Run, class Write>
grpc::ServerUnaryReactor* Serve(Edge& edge, std::string_view method, grpc::CallbackServerContext* context,
                                const Request* request, Response* response, Parse parse, Run run, Write write) {
  auto* call = new UnaryCall<Request, Response, Parse, Run, Write>(edge, method, context, request, response,
                                                                   std::move(parse), std::move(run), std::move(write));
  call->BeginBlocking();
  return call;
}

// Serves one unary RPC whose work is a coroutine (the data path).
template <class Request, class Response, class Parse, class Run, class Write>
grpc::ServerUnaryReactor* ServeAsync(Edge& edge, std::string_view method, grpc::CallbackServerContext* context,
                                     const Request* request, Response* response, Parse parse, Run run, Write write) {
  auto* call = new UnaryCall<Request, Response, Parse, Run, Write>(edge, method, context, request, response,
                                                                   std::move(parse), std::move(run), std::move(write));
  call->BeginAsync();
  return call;
}

}  // namespace lmbroker::rpc
