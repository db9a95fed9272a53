#include "service/rpc/forward_convert.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "service/base/error.h"
#include "service/base/names.h"
#include "service/base/status_macros.h"
#include "service/rpc/convert.h"

namespace lmbroker::rpc {

absl::StatusOr<core::ForwardCall> ParseForward(v1::ForwardRequest request, const http::RequestLimits& limits) {
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
                                                 .body = std::move(*request.mutable_body()),
                                                 .api_version = request.api_version()},
                                                limits));
  return core::ForwardCall{.portal = std::move(portal),
                           .credential = std::move(credential),
                           .request = std::make_shared<const http::CanonicalRequest>(std::move(canonical)),
                           .idempotent = request.idempotent(),
                           .fresh = request.fresh()};
}

void ToProto(core::ForwardReply reply, v1::ForwardResponse& response) {
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

}  // namespace lmbroker::rpc
