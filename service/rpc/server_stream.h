#pragma once

// An RPC that answers with a stream, of two functions:
//   parse: Request& → absl::StatusOr<Input>                                              as in unary.h
//   run:   (core::CallContext&, Input, MessageStream<Response>&) → Task<absl::Status>    the work

#include <memory>
#include <string_view>
#include <utility>
#include <variant>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <grpcpp/support/async_stream.h>

#include "service/base/task.h"
#include "service/rpc/queued_call.h"

namespace lmbroker::rpc {

// Where a streaming handler writes its messages, one after the other. On the queue's thread.
template <class Message>
class MessageStream {
 public:
  // Told when gRPC has room for the next message; false: the caller has left, and no other will go out.
  using Done = absl::AnyInvocable<void(bool)>;

  // Not before the one before is done.
  virtual void Write(const Message& message, Done done) = 0;

 protected:
  ~MessageStream() = default;
};

template <class Method, class Response>
class StreamCall final : public QueuedCall<StreamCall<Method, Response>, Method>, private MessageStream<Response> {
  using Base = QueuedCall<StreamCall<Method, Response>, Method>;
  using Done = typename MessageStream<Response>::Done;
  friend Base;

  explicit StreamCall(std::shared_ptr<const Method> method) : Base(std::move(method)) {}
  ~StreamCall() = default;

  void Work(typename Method::Input input) {
    this->AbandonAfterDeadline();
    Start(this->method().run(this->call().context(), std::move(input), static_cast<MessageStream<Response>&>(*this)),
          [this](const absl::Status& status) { this->Conclude(status); });
  }

  void Write(const Response& message, Done done) override {
    done_ = std::move(done);
    this->responder().Write(message, on_written_.tag());
  }
  void OnWritten(bool ok) {
    Done done = std::exchange(done_, nullptr);
    done(ok);
  }

  void Answer(const grpc::Status& status) { this->responder().Finish(status, this->finished_tag()); }

  Done done_;
  EventOf<StreamCall, &StreamCall::OnWritten> on_written_{*this};
};

// Serves one server-streaming RPC of `service` from `queue`. `request_next` is the service's generated Request… method.
template <class Service, class Base, class Request, class Response, class Parse, class Run>
void ServeStream(Edge& edge, CallQueue& queue, Service& service,
                 void (Base::*request_next)(grpc::ServerContext*, Request*, grpc::ServerAsyncWriter<Response>*,
                                            grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                 std::string_view name, Parse parse, Run run, int awaited = kAwaitedRare) {
  using Responder = grpc::ServerAsyncWriter<Response>;
  const auto take = [&service, request_next](grpc::ServerContext* context, Request* request, Responder* responder,
                                             grpc::ServerCompletionQueue* from, void* tag) {
    (service.*request_next)(context, request, responder, from, from, tag);
  };
  using Method = RpcMethod<Request, Responder, decltype(take), Parse, Run, std::monostate>;
  const std::shared_ptr<const Method> method(
      new Method{edge, queue, name, take, std::move(parse), std::move(run), std::monostate{}});
  for (int i = 0; i < awaited; ++i) StreamCall<Method, Response>::Await(method);
}

}  // namespace lmbroker::rpc
