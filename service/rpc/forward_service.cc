#include "service/rpc/forward_service.h"

#include <cstddef>
#include <memory>
#include <utility>

#include "service/base/byte_budget.h"
#include "service/base/status_macros.h"
#include "service/base/task.h"
#include "service/core/lost_answer.h"
#include "service/rpc/forward_convert.h"
#include "service/rpc/server_stream.h"
#include "service/rpc/unary.h"

namespace lmbroker::rpc {
namespace {

// What a stream holds of its reply at most: a buffer of the client's, a piece in the scrubber, a message on its way.
constexpr std::size_t kStreamBytes = std::size_t{3} << 20;

// The messages of ForwardStream.
class StreamedReply final : public core::ReplySink {
 public:
  explicit StreamedReply(MessageStream<v1::ForwardStreamResponse>& out) : out_(out) {}

  void Head(core::ForwardReply head, Done done) override {
    v1::ForwardStreamResponse message;
    ToProto(std::move(head), *message.mutable_head());
    out_.Write(message, std::move(done));
  }
  void Chunk(std::string bytes, Done done) override {
    v1::ForwardStreamResponse message;
    message.set_chunk(std::move(bytes));
    out_.Write(message, std::move(done));
  }

 private:
  MessageStream<v1::ForwardStreamResponse>& out_;
};

// Counts what the request holds beside its message, and `more`.
absl::Status HoldMore(core::CallContext& call, const core::ForwardCall& input, std::size_t more) {
  const http::CanonicalRequest& request = *input.request;
  const bool inflated = request.signed_body().data() != request.body().data();
  const bool there = call.memory.TryGrow(more + (inflated ? request.signed_body().size() : 0));
  return there ? absl::OkStatus() : NoRoomFor("the call");
}

// From here on the reply is counted in place of the request, which is answered.
Task<absl::StatusOr<core::ForwardReply>> Unary(const core::Forwarder* forwarder, core::CallContext* call,
                                               core::ForwardCall input) {
  absl::Status held = HoldMore(*call, input, 0);
  if (!held.ok()) co_return held;
  const portal::Repeatable repeatable = input.repeatable();
  auto forwarding = forwarder->Forward(*call, std::move(input));
  absl::StatusOr<core::ForwardReply> reply = co_await forwarding;
  if (reply.ok() && !call->memory.TryResize(reply->body.size())) {
    co_return core::ToldOfLostAnswer(NoRoomFor("the portal's reply"), http::Delivery::kMaybeSent, repeatable);
  }
  co_return reply;
}

Task<absl::Status> Stream(const core::Forwarder* forwarder, core::CallContext* call, core::ForwardCall input,
                          MessageStream<v1::ForwardStreamResponse>* out) {
  absl::Status held = HoldMore(*call, input, kStreamBytes);
  if (!held.ok()) co_return held;
  StreamedReply reply(*out);
  auto forwarding = forwarder->ForwardStream(*call, std::move(input), reply);
  absl::Status status = co_await forwarding;
  co_return status;
}

}  // namespace

void ForwardService::AddTo(Methods& methods) {
  Serve<v1::ForwardRequest, v1::ForwardResponse>(
      methods, edge_, "/lmbroker.v1.ForwardService/Forward",
      [this](v1::ForwardRequest& r) { return ParseForward(std::move(r), limits_); },
      [this](core::CallContext& call, core::ForwardCall input) { return Unary(&forwarder_, &call, std::move(input)); },
      [](core::ForwardReply reply, v1::ForwardResponse& out) { ToProto(std::move(reply), out); });
  ServeStream<v1::ForwardRequest, v1::ForwardStreamResponse>(
      methods, edge_, "/lmbroker.v1.ForwardService/ForwardStream",
      [this](v1::ForwardRequest& r) { return ParseForward(std::move(r), limits_); },
      [this](core::CallContext& call, core::ForwardCall input, MessageStream<v1::ForwardStreamResponse>& out) {
        return Stream(&forwarder_, &call, std::move(input), &out);
      });
}

}  // namespace lmbroker::rpc
