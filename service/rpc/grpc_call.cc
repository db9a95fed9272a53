#include "service/rpc/grpc_call.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "service/base/error.h"
#include "service/base/secret.h"

namespace lmbroker::rpc {
namespace {

constexpr absl::Duration kDefaultTime = absl::Seconds(30);
// No call may hold its place longer, whatever its caller says.
constexpr absl::Duration kMostTime = absl::Minutes(5);
// For a call that can still say that its deadline has passed.
constexpr absl::Duration kLastWord = absl::Seconds(1);

constexpr std::array kHead = {h2::Header{":status", "200"}, h2::Header{"content-type", "application/grpc"},
                              h2::Header{"grpc-accept-encoding", "identity,deflate,gzip"}};

std::vector<h2::Header> ToHeaders(const std::vector<std::pair<std::string, std::string>>& fields,
                                  std::vector<h2::Header> headers = {}) {
  for (const auto& [name, value] : fields) headers.push_back({name, value});
  return headers;
}

// The whole answer, without a message.
void AnswerWith(const WireStatus& status, h2::Stream& stream) {
  const auto trailers = TrailersOf(status);
  stream.Answer(ToHeaders(trailers, {kHead.begin(), kHead.end()}));
}

}  // namespace

absl::Duration AllowedTime(const Incoming& incoming) {
  return std::clamp(incoming.timeout.value_or(kDefaultTime), absl::ZeroDuration(), kMostTime);
}

GrpcCall::GrpcCall(Wire& wire, h2::Stream& stream, Incoming incoming)
    : wire_(wire),
      stream_(&stream),
      incoming_(std::move(incoming)),
      reader_(wire.most_message, ParseMessageCoding(stream.head().Find("grpc-encoding")), wire.unread) {
  ++wire_.calls;
}

void GrpcCall::Tend() {
  const absl::Duration now = wire_.clock.Monotonic();
  const absl::Duration deadline = incoming_.arrival + AllowedTime(incoming_);
  if (!whole_ && !finished_ && now >= deadline) {
    return Refuse(lmbroker::Refuse(Reason::kDeadline, "The call's deadline passed before its request had come whole."));
  }
  const absl::Duration last = std::max(deadline, finished_ ? finished_at_ : deadline) + kLastWord;
  if ((finished_ || (whole_ && EndsWithDeadline())) && now >= last) Cut();
}

void GrpcCall::OnData(std::string_view bytes) {
  while (!finished_) {
    auto next = reader_.Next(bytes);
    if (!next.ok()) return Refuse(next.status());
    std::optional<std::string>& message = *next;
    if (!message.has_value()) return;
    OnMessage(*message);
    Wipe(message->data(), message->size());
  }
}

void GrpcCall::OnEnd() {
  if (finished_) return;
  if (reader_.within()) {
    return Refuse(lmbroker::Refuse(Reason::kFieldInvalid, "The request ends within a message; send it whole."));
  }
  whole_ = true;
  OnRequestEnd();
}

void GrpcCall::Refuse(const absl::Status& status) {
  reader_.Drop();
  OnMalformed(status);
}

void GrpcCall::OnClosed() {
  stream_ = nullptr;
  finished_ = true;
  OnGone();
  gone_ = true;
  if (released_) delete this;
}

void GrpcCall::Release() {
  released_ = true;
  if (gone_) delete this;
}

void GrpcCall::Send(std::string framed) {
  if (stream_ == nullptr || finished_) return;
  if (!std::exchange(begun_, true)) stream_->Begin(kHead);
  stream_->Write(std::move(framed));
}

void GrpcCall::Finish(const WireStatus& status) {
  if (stream_ == nullptr || std::exchange(finished_, true)) return;
  finished_at_ = wire_.clock.Monotonic();
  if (!begun_) return AnswerWith(status, *stream_);
  const auto trailers = TrailersOf(status);
  stream_->Finish(ToHeaders(trailers));
}

void GrpcCall::FinishBare(std::span<const h2::Header> head) {
  finished_ = true;
  finished_at_ = wire_.clock.Monotonic();
  stream_->Answer(head);
}

void GrpcCall::Cut() {
  if (stream_ != nullptr) stream_->Cut();
}

}  // namespace lmbroker::rpc
