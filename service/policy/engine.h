#pragma once

// The decisions. Pure functions of (policy snapshot, caller, call); nothing here does I/O. Safe for concurrent use.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/caller.h"
#include "service/base/error.h"
#include "service/base/names.h"
#include "service/http/request.h"
#include "service/policy/authorized_call.h"
#include "service/policy/model.h"

namespace lmbroker::policy {

// A forward call as policy sees it.
struct ForwardQuestion {
  PortalName portal;
  std::optional<CredentialName> credential;  // unset: the one that the grant binds
  http::Api api = http::Api::kManagement;
  http::Method method = http::Method::kGet;
  http::CanonicalPath path;
};

// A token operation as policy sees it. For kList over a whole portal `admin` is unset.
struct TokenQuestion {
  Verb verb = Verb::kGet;
  PortalName portal;
  std::optional<std::int32_t> admin;
  std::optional<TokenType> type;  // unset where the verb does not know it yet (get, update, toggle, delete by name)
  bool hand_over = false;
};

// A rule that almost matched, and the first thing in it that did not.
struct NearMiss {
  std::string rule;
  std::string failed;  // e.g. "methods: has GET, call is DELETE"
};

struct Decision {
  bool allowed = false;
  std::string rule;                          // the deciding rule; empty when none matched
  std::optional<Reason> reason;              // why not
  std::string message;                       // the sentence for the caller when refused
  std::optional<CredentialName> credential;  // forward: the credential to sign with
  std::vector<NearMiss> nearest;             // only from Explain…
};

// What a caller's token grants cover at one portal, for lists.
class TokenScope {
 public:
  // Whether some grant shows the tokens of `type` that belong to `admin`. Exact, grant by grant, no cross product.
  bool Covers(std::int32_t admin, TokenType type) const;
  // The first matching rule, for the audit.
  const std::string& rule() const { return rule_; }

 private:
  friend class Engine;
  struct Part {
    bool any_admin = false;
    std::vector<std::int32_t> admins;
    std::vector<TokenType> types;
  };
  std::string rule_;
  std::vector<Part> parts_;
};

// Proof that the policy allows one token verb on one admin (or, for lists, portal). Only Engine makes one.
class TokenGrant {
 public:
  const std::string& rule() const { return rule_; }
  const PortalName& portal() const { return portal_; }
  Verb verb() const { return verb_; }

 private:
  friend class Engine;
  TokenGrant(PortalName portal, Verb verb, std::string rule)
      : portal_(std::move(portal)), verb_(verb), rule_(std::move(rule)) {}
  PortalName portal_;
  Verb verb_;
  std::string rule_;
};

class Engine {
 public:
  explicit Engine(std::shared_ptr<const Policy> policy);

  // Whose identities these are: the caller with its policy name (and operator mark) filled in. An identity that the
  // policy does not know gives a Caller without a name: authenticated, and allowed nothing.
  // NO_IDENTITY when the names belong to two different callers.
  absl::StatusOr<Caller> Identify(const std::vector<std::string>& identities, std::string peer) const;

  // The same functions decide and explain.
  Decision Decide(const Caller& caller, const ForwardQuestion& question) const;
  Decision Decide(const Caller& caller, const TokenQuestion& question) const;
  Decision Explain(const Caller& caller, const ForwardQuestion& question) const;
  Decision Explain(const Caller& caller, const TokenQuestion& question) const;
  // The caller that an ExplainAccess question names: by identity or by policy name; unset when unknown.
  std::optional<Caller> FindCaller(std::string_view identity_or_name) const;

  // SECRET_ENDPOINT for the token endpoints and whatever else shows secrets, in canonical form, whoever asks.
  static absl::Status RefuseSecretEndpoint(http::Api api, const http::CanonicalPath& path);

  // Decide, then the proof; or the refusal (SECRET_ENDPOINT, NO_GRANT, ACCOUNT_ENDPOINT, FIELD_INVALID on credential).
  absl::StatusOr<AuthorizedCall> Authorize(const Caller& caller, const PortalName& portal,
                                           const std::optional<CredentialName>& credential,
                                           std::shared_ptr<const http::CanonicalRequest> request) const;
  // Decide, then the proof; or NO_GRANT, HAND_OVER_NOT_GRANTED.
  absl::StatusOr<TokenGrant> Authorize(const Caller& caller, const TokenQuestion& question) const;
  // What a list over a portal may show; NO_GRANT when no grant covers any of it. Operators see all.
  absl::StatusOr<TokenScope> Scope(const Caller& caller, const PortalName& portal) const;
  // NO_GRANT unless the caller is an operator. The proof is for the broker's own management requests (probe, …).
  absl::StatusOr<TokenGrant> AuthorizeOperator(const Caller& caller, const PortalName& portal) const;

  // A management request that the broker makes itself, in the name of a grant, with the portal's master credential
  // (or, for a probe, the credential probed). Portals must agree; INTERNAL otherwise.
  absl::StatusOr<AuthorizedCall> Administer(const TokenGrant& grant, const CredentialName& credential,
                                            http::CanonicalRequest request) const;

  const Policy& policy() const { return *policy_; }

 private:
  std::shared_ptr<const Policy> policy_;
};

}  // namespace lmbroker::policy
