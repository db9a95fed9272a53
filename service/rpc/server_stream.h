#pragma once

// An RPC that answers with a stream, of two functions:
//   parse: Request& → absl::StatusOr<Input>                                              as in unary.h
//   run:   (core::CallContext&, Input, MessageStream<Response>&) → Task<absl::Status>    the work

#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include "service/base/task.h"
#include "service/rpc/served_call.h"

namespace lmbroker::rpc {

// Where a streaming handler writes its messages, one after the other. On the loop's thread.
template <class Message>
class MessageStream {
 public:
  // Told when there is room for the next message; false: the caller has left, and no other will go out.
  using Done = absl::AnyInvocable<void(bool)>;

  // Not before the one before is done.
  virtual void Write(const Message& message, Done done) = 0;

 protected:
  ~MessageStream() = default;
};

template <class RequestType, class ResponseType, class Parse, class Run>
class StreamMethod final : public Method {
 public:
  using Request = RequestType;
  using Response = ResponseType;
  using Input = typename std::invoke_result_t<Parse, Request&>::value_type;

  StreamMethod(Edge& to, std::string_view path, Parse parsing, Run running)
      : edge(to), name(path), parse(std::move(parsing)), run(std::move(running)) {}

  GrpcCall& Open(Wire& wire, h2::Stream& stream, Incoming incoming) override;

  Edge& edge;
  const std::string_view name;
  const Parse parse;
  const Run run;
};

template <class Description>
class StreamCall final : public ServedCall<StreamCall<Description>, Description>,
                         private MessageStream<typename Description::Response> {
  using Base = ServedCall<StreamCall<Description>, Description>;
  using Response = typename Description::Response;
  using Done = typename MessageStream<Response>::Done;
  friend Base;
  friend Description;

  StreamCall(const Description& description, Wire& wire, h2::Stream& stream, Incoming incoming)
      : Base(description, wire, stream, std::move(incoming)) {}

  void Work(typename Description::Input input) {
    absl::AnyInvocable<void(absl::Status)> done = [this](const absl::Status& status) { this->Conclude(status); };
    auto& messages = static_cast<MessageStream<Response>&>(*this);
    Start(this->description().run(this->call().context(), std::move(input), messages), std::move(done));
  }

  void Write(const Response& message, Done done) override {
    done_ = std::move(done);
    if (this->stream() == nullptr) return Told(false);
    this->Send(Framed(message));
  }
  bool EndsWithDeadline() const override { return true; }
  void OnRoom() override { Told(true); }
  void OnLeft() { Told(false); }
  void Told(bool ok) {
    if (Done done = std::exchange(done_, nullptr); done != nullptr) done(ok);
  }

  void Answer(const WireStatus& status) { this->Finish(status); }

  Done done_;
};

template <class RequestType, class ResponseType, class Parse, class Run>
GrpcCall& StreamMethod<RequestType, ResponseType, Parse, Run>::Open(Wire& wire, h2::Stream& stream, Incoming incoming) {
  return *new StreamCall<StreamMethod>(*this, wire, stream, std::move(incoming));
}

// Serves one server-streaming RPC. `path` as in the method table.
template <class Request, class Response, class Parse, class Run>
void ServeStream(Methods& methods, Edge& edge, std::string_view path, Parse parse, Run run) {
  methods.Add(path, std::make_unique<StreamMethod<Request, Response, Parse, Run>>(edge, path, std::move(parse),
                                                                                  std::move(run)));
}

}  // namespace lmbroker::rpc
