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

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>

#include "service/base/error.h"
#include "service/base/task.h"
#include "service/rpc/served_call.h"

namespace lmbroker::rpc {

template <class RequestType, class ResponseType, class Parse, class Run, class Write>
class UnaryMethod final : public Method {
 public:
  using Request = RequestType;
  using Response = ResponseType;
  using Input = typename std::invoke_result_t<Parse, Request&>::value_type;

  UnaryMethod(Edge& to, std::string_view path, Parse parsing, Run running, Write writing)
      : edge(to), name(path), parse(std::move(parsing)), run(std::move(running)), write(std::move(writing)) {}

  GrpcCall& Open(Wire& wire, h2::Stream& stream, Incoming incoming) override;

  Edge& edge;
  const std::string_view name;
  const Parse parse;
  const Run run;
  const Write write;
};

template <class Description>
class UnaryCall final : public ServedCall<UnaryCall<Description>, Description> {
  using Base = ServedCall<UnaryCall<Description>, Description>;
  friend Base;
  friend Description;

  UnaryCall(const Description& description, Wire& wire, h2::Stream& stream, Incoming incoming)
      : Base(description, wire, stream, std::move(incoming)) {}

  void Work(typename Description::Input input) {
    const auto& run = this->description().run;
    using Result = std::invoke_result_t<decltype(run), core::CallContext&, typename Description::Input>;
    if constexpr (requires { typename Result::promise_type; }) {
      using Outcome = decltype(std::declval<Result&>().await_resume());
      absl::AnyInvocable<void(Outcome)> done = [this](Outcome output) { this->ConcludeWith(std::move(output)); };
      Start(run(this->call().context(), std::move(input)), std::move(done));
    } else {
      const bool accepted = this->call().workers().TryPost([this, &run, ready = std::move(input)]() mutable {
        this->ConcludeWith(run(this->call().context(), std::move(ready)));
      });
      if (accepted) return;
      this->Conclude(lmbroker::Refuse(Reason::kQueueFull,
                                      "The broker's queue for administration is full; try again later.",
                                      {.retry_after = absl::Seconds(1)}));
    }
  }

  template <class Output>
  void ConcludeWith(absl::StatusOr<Output> output) {
    const absl::Status status = output.status();
    if (status.ok()) this->description().write(*std::move(output), response_);
    this->Conclude(status);
  }

  void Answer(const WireStatus& status) {
    if (status.ok()) {
      const auto response = std::move(response_);  // a large answer is not to be held twice
      this->Send(Framed(response));
    }
    this->Finish(status);
  }

  typename Description::Response response_;
};

template <class RequestType, class ResponseType, class Parse, class Run, class Write>
GrpcCall& UnaryMethod<RequestType, ResponseType, Parse, Run, Write>::Open(Wire& wire, h2::Stream& stream,
                                                                          Incoming incoming) {
  return *new UnaryCall<UnaryMethod>(*this, wire, stream, std::move(incoming));
}

// For work that has no answer but its success.
inline absl::StatusOr<std::monostate> Done(const absl::Status& status) {
  if (!status.ok()) return status;
  return std::monostate{};
}
inline constexpr auto kWriteNothing = [](std::monostate, auto&) {};

// Serves one unary RPC. `path` as in the method table.
template <class Request, class Response, class Parse, class Run, class Write>
void Serve(Methods& methods, Edge& edge, std::string_view path, Parse parse, Run run, Write write) {
  methods.Add(path, std::make_unique<UnaryMethod<Request, Response, Parse, Run, Write>>(
                        edge, path, std::move(parse), std::move(run), std::move(write)));
}

}  // namespace lmbroker::rpc
