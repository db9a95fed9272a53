#include "service/core/policy_holder.h"

namespace lmbroker::core {

absl::StatusOr<policy::AuthorizedCall> PolicyHolder::Authorize(
    const policy::Engine& engine, const Caller& caller, const PortalName& portal,
    const std::optional<CredentialName>& credential,
    const std::shared_ptr<const http::CanonicalRequest>& request) const {
  absl::StatusOr<policy::AuthorizedCall> call = engine.Authorize(caller, portal, credential, request);
  if (shadow_ != nullptr) {
    const policy::ForwardQuestion question{.portal = portal,
                                           .credential = credential,
                                           .api = request->api(),
                                           .method = request->method(),
                                           .path = request->path()};
    shadow_->Compare(caller, question, *request, call.status(), call.ok() ? call->rule() : "");
  }
  return call;
}

absl::StatusOr<policy::TokenGrant> PolicyHolder::Authorize(const policy::Engine& engine, const Caller& caller,
                                                           const policy::TokenQuestion& question) const {
  absl::StatusOr<policy::TokenGrant> grant = engine.Authorize(caller, question);
  if (shadow_ != nullptr) shadow_->Compare(caller, question, grant.status(), grant.ok() ? grant->rule() : "");
  return grant;
}

}  // namespace lmbroker::core
