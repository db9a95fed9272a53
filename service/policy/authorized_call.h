#pragma once

#include <memory>
#include <string>
#include <utility>

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

 private:
  friend class Engine;
  AuthorizedCall(std::shared_ptr<const http::CanonicalRequest> request, CredentialName credential, std::string rule)
      : request_(std::move(request)), credential_(std::move(credential)), rule_(std::move(rule)) {}

  std::shared_ptr<const http::CanonicalRequest> request_;
  CredentialName credential_;
  std::string rule_;
};

}  // namespace lmbroker::policy
