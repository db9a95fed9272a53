#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/statusor.h>

#include "service/base/error.h"
#include "service/base/secret.h"
#include "service/base/status_macros.h"
#include "service/rpc/edge.h"
#include "service/rpc/grpc_call.h"
#include "service/rpc/method.h"

namespace lmbroker::rpc {

// One call of an RPC with one request, from its arrival until its caller has the answer. Begun, told and destroyed on
// the loop's thread; its work may end on another one. Derived has Work(input), which ends in Conclude(status), and
// Answer(status), which gives the call's end to Finish.
//
// Description, which says what the RPC is (unary.h and server_stream.h make it): Request, Input, `edge`, `name` as in
// the method table, and `parse`.
template <class Derived, class Description>
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): it is its own owner
class ServedCall : public GrpcCall, private CallStream {
 protected:
  ~ServedCall() override { Forget(); }

  // The caller has left; for who waits for something else than the call's stop token.
  void OnLeft() {}

  const Description& description() const { return description_; }
  Call& call() { return *call_; }  // NOLINT(bugprone-unchecked-optional-access): it is there when work is

  // From any thread. Touch nothing afterwards: the loop may destroy this before it returns.
  void Conclude(const absl::Status& status) {
    WireStatus end = call().End(status);
    if (wire().loop.OnThread()) return AnswerAndRelease(end);
    wire().loop.Post([this, ended = std::move(end)] { AnswerAndRelease(ended); });
  }

 private:
  friend Derived;

  ServedCall(const Description& description, Wire& wire, h2::Stream& stream, Incoming incoming)
      : GrpcCall(wire, stream, std::move(incoming)), description_(description) {}

  Derived& derived() { return static_cast<Derived&>(*this); }

  void OnMessage(std::string& message) final {
    if (std::exchange(has_message_, true)) return Refuse("has a second message");
    message_.swap(message);
  }

  void OnRequestEnd() final {
    if (!has_message_) return Refuse("has no message");
    call_.emplace(description_.edge, description_.name, incoming(), static_cast<CallStream&>(*this));
    if (call().KnowsToken(stream()->head(), [this] { Proceed(); })) Proceed();
  }

  void Proceed() {
    auto input = Prepare();
    input.ok() ? derived().Work(*std::move(input)) : Conclude(input.status());
  }

  absl::StatusOr<typename Description::Input> Prepare() {
    RETURN_IF_ERROR(call().Admit());
    RETURN_IF_ERROR(call().HoldRequest(message_.size()));
    const bool parsed = request_.ParseFromString(message_);
    Forget();
    if (!parsed) {
      return lmbroker::Refuse(Reason::kFieldInvalid,
                              "The request is not the message that this method takes; send that.");
    }
    auto input = description_.parse(request_);
    RETURN_IF_ERROR(input.status());
    RETURN_IF_ERROR(call().CheckAudience());
    return input;
  }

  void Refuse(std::string_view problem) {
    OnMalformed(lmbroker::Refuse(Reason::kFieldInvalid,
                                 std::string("The request ").append(problem).append("; send one message.")));
  }
  // Audited like any other refusal.
  void OnMalformed(const absl::Status& refusal) final {
    call_.emplace(description_.edge, description_.name, incoming(), static_cast<CallStream&>(*this));
    Conclude(refusal);
  }

  void Forget() {
    Wipe(message_.data(), message_.size());
    std::string().swap(message_);
  }

  void AnswerAndRelease(const WireStatus& end) {
    derived().Answer(end);
    Release();
  }

  void OnGone() final {
    if (!call_.has_value()) return Release();
    call().Cancel();
    derived().OnLeft();
  }
  void CutStream() final { Cut(); }

  const Description& description_;
  typename Description::Request request_;
  std::string message_;  // until the call is admitted: a key in it is not to lie in a protobuf that nobody reads
  bool has_message_ = false;
  std::optional<Call> call_;
};

}  // namespace lmbroker::rpc
