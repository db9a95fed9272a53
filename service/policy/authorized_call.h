#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <absl/time/time.h>

#include "service/base/names.h"
#include "service/http/request.h"

namespace lmbroker::policy {

class Engine;

// Proof that the policy allows one request with one credential. Only Engine makes one, and only this can be signed.
class AuthorizedCall {
 public:
  const http::CanonicalRequest& request() const { return *request_; }
  std::shared_ptr<const http::CanonicalRequest> shared_request() const { return request_; }
  const PortalName& portal() const { return credential_.portal(); }
  const CredentialName& credential() const { return credential_; }
  // The deciding rule, e.g. "inventory.forward[0]".
  const std::string& rule() const { return rule_; }
  // For how long the reply may serve other calls under the same rule; unset: it may not.
  std::optional<absl::Duration> share() const { return share_; }

 private:
  friend class Engine;
  AuthorizedCall(std::shared_ptr<const http::CanonicalRequest> request, CredentialName credential, std::string rule,
                 std::optional<absl::Duration> share)
      : request_(std::move(request)), credential_(std::move(credential)), rule_(std::move(rule)), share_(share) {}

  std::shared_ptr<const http::CanonicalRequest> request_;
  CredentialName credential_;
  std::string rule_;
  std::optional<absl::Duration> share_;
};

}  // namespace lmbroker::policy
