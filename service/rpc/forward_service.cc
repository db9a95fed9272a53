#include "service/rpc/forward_service.h"

#include <memory>
#include <utility>

#include "service/base/status_macros.h"
#include "service/base/task.h"
#include "service/rpc/convert.h"
#include "service/rpc/server_stream.h"
#include "service/rpc/unary.h"

namespace lmbroker::rpc {
namespace {

template <class Pairs>
std::vector<http::NameValue> PairsOf(const Pairs& pairs) {
  std::vector<http::NameValue> out;
  out.reserve(static_cast<std::size_t>(pairs.size()));
  for (const auto& pair : pairs) out.push_back({pair.name(), pair.value()});
  return out;
}

void Write(core::ForwardReply reply, v1::ForwardResponse& response) {
  response.set_status(reply.status);
  for (http::NameValue& header : reply.headers) {
    v1::Header& out = *response.add_headers();
    out.set_name(std::move(header.name));
    out.set_value(std::move(header.value));
  }
  response.set_body(std::move(reply.body));
  response.set_credential(reply.credential.ToString());
  response.set_attempts(reply.attempts);
  if (reply.budget.has_value()) {
    v1::Budget& budget = *response.mutable_budget();
    budget.set_limit(reply.budget->limit);
    budget.set_remaining(reply.budget->remaining);
    ToProto(reply.budget->window, *budget.mutable_window());
  }
  if (reply.age.has_value()) ToProto(*reply.age, *response.mutable_age());
  response.set_request_id(std::move(reply.request_id));
}

// The messages of ForwardStream.
class StreamedReply final : public core::ReplySink {
 public:
  explicit StreamedReply(MessageStream<v1::ForwardStreamResponse>& out) : out_(out) {}

  void Head(core::ForwardReply head, Done done) override {
    v1::ForwardStreamResponse message;
    Write(std::move(head), *message.mutable_head());
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

Task<absl::Status> Stream(const core::Forwarder* forwarder, core::CallContext* call, core::ForwardCall input,
                          MessageStream<v1::ForwardStreamResponse>* out) {
  StreamedReply reply(*out);
  auto forwarding = forwarder->ForwardStream(*call, std::move(input), reply);
  absl::Status status = co_await forwarding;
  co_return status;
}

}  // namespace

absl::StatusOr<core::ForwardCall> ParseForward(const v1::ForwardRequest& request, const http::RequestLimits& limits) {
  ASSIGN_OR_RETURN(PortalName portal, PortalName::Parse(request.portal(), "portal"));
  std::optional<CredentialName> credential;
  if (!request.credential().empty()) {
    ASSIGN_OR_RETURN(credential, CredentialName::Parse(request.credential(), "credential"));
    if (credential->portal() != portal) return FieldInvalid("credential", "must belong to the portal of `portal`");
  }
  ASSIGN_OR_RETURN(const http::Api api, FromProto(request.api(), "api"));
  ASSIGN_OR_RETURN(http::CanonicalRequest canonical,
                   http::CanonicalRequest::Make({.api = api,
                                                 .method = request.method(),
                                                 .path = request.path(),
                                                 .query = PairsOf(request.query()),
                                                 .headers = PairsOf(request.headers()),
                                                 .body = request.body(),
                                                 .api_version = request.api_version()},
                                                limits));
  return core::ForwardCall{.portal = std::move(portal),
                           .credential = std::move(credential),
                           .request = std::make_shared<const http::CanonicalRequest>(std::move(canonical)),
                           .idempotent = request.idempotent(),
                           .fresh = request.fresh()};
}

void ForwardService::TakeCalls(CallQueue& queue) {
  Serve(
      edge_, queue, *this, &ForwardService::RequestForward, "/lmbroker.v1.ForwardService/Forward",
      [this](const v1::ForwardRequest& r) { return ParseForward(r, limits_); },
      [this](core::CallContext& call, core::ForwardCall input) { return forwarder_.Forward(call, std::move(input)); },
      [](core::ForwardReply reply, v1::ForwardResponse& out) { Write(std::move(reply), out); }, kAwaitedOften);
  ServeStream(
      edge_, queue, *this, &ForwardService::RequestForwardStream, "/lmbroker.v1.ForwardService/ForwardStream",
      [this](const v1::ForwardRequest& r) { return ParseForward(r, limits_); },
      [this](core::CallContext& call, core::ForwardCall input, MessageStream<v1::ForwardStreamResponse>& out) {
        return Stream(&forwarder_, &call, std::move(input), &out);
      });
}

}  // namespace lmbroker::rpc
