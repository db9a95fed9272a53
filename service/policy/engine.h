#pragma once

// The decisions. Pure functions of (policy snapshot, caller, call); nothing here does I/O. Safe for concurrent use.
// Default deny: what no grant of the caller covers is refused, in the same words whether or not its portal exists.

#include <cstddef>
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
#include "service/policy/decision.h"
#include "service/policy/forward_index.h"
#include "service/policy/model.h"
#include "service/policy/token_index.h"

namespace lmbroker::policy {

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
  // Of a create: the life of the token; unset: it is not leased.
  const std::optional<absl::Duration>& ttl() const { return ttl_; }

 private:
  friend class Engine;
  TokenGrant(PortalName portal, Verb verb, std::string rule, std::optional<absl::Duration> ttl = std::nullopt)
      : portal_(std::move(portal)), verb_(verb), rule_(std::move(rule)), ttl_(ttl) {}
  PortalName portal_;
  Verb verb_;
  std::string rule_;
  std::optional<absl::Duration> ttl_;
};

class Engine {
 public:
  explicit Engine(std::shared_ptr<const Policy> policy);

  // Whose identities these are: the caller with its policy name (and operator mark) filled in. An identity that the
  // policy does not know gives a Caller without a name: authenticated, and allowed nothing.
  // NO_IDENTITY when there are none, or when they belong to two different callers.
  absl::StatusOr<Caller> Identify(const std::vector<std::string>& identities, std::string peer) const;

  // The same functions decide and explain. What a caller may do follows from its name alone, looked up in this policy:
  // a mark in the Caller that an older policy made counts nothing.
  Decision Decide(const Caller& caller, const ForwardQuestion& question) const;
  Decision Decide(const Caller& caller, const TokenQuestion& question) const;
  Decision Explain(const Caller& caller, const ForwardQuestion& question) const;
  Decision Explain(const Caller& caller, const TokenQuestion& question) const;
  // The caller that an ExplainAccess question names: by identity or by policy name; unset when unknown.
  std::optional<Caller> FindCaller(std::string_view identity_or_name) const;

  // The caller's part of the portals' rate limits; that of nobody in particular for one that the policy does not know.
  CallerBudget BudgetOf(const Caller& caller) const;
  // How many tokens it may have of those that it created; unset: any number.
  std::optional<int> MostTokensOf(const Caller& caller) const;

  // What Authorize would decide, which looks into the body too, and no proof of it: for a policy that is judged beside
  // the one in force.
  Decision Judge(const Caller& caller, const ForwardQuestion& question, const http::CanonicalRequest& request) const;

  // SECRET_ENDPOINT for the token endpoints and whatever else shows secrets, in canonical form, whoever asks.
  static absl::Status RefuseSecretEndpoint(http::Api api, const http::CanonicalPath& path);

  // Decide, then the proof; or the refusal (SECRET_ENDPOINT, NO_GRANT, ACCOUNT_ENDPOINT, FIELD_INVALID on credential;
  // INTERNAL for a decision that contradicts itself).
  // Looks into the body too, where a question cannot: a write to users may embed no tokens (endpoints.h).
  absl::StatusOr<AuthorizedCall> Authorize(const Caller& caller, const PortalName& portal,
                                           const std::optional<CredentialName>& credential,
                                           std::shared_ptr<const http::CanonicalRequest> request) const;
  // Decide, then the proof; or NO_GRANT, HAND_OVER_NOT_GRANTED.
  absl::StatusOr<TokenGrant> Authorize(const Caller& caller, const TokenQuestion& question) const;
  // What a list over a portal may show; NO_GRANT when no grant covers any of it. Operators see all.
  absl::StatusOr<TokenScope> Scope(const Caller& caller, const PortalName& portal) const;
  // NO_GRANT unless the caller is an operator. The proof is for the broker's own management requests (probe, …).
  absl::StatusOr<TokenGrant> AuthorizeOperator(const Caller& caller, const PortalName& portal) const;

  // The proof anew, for work that it allowed and that must come to its end whatever the policy says by now. `rule` is
  // what allowed it.
  TokenGrant GoOn(const PortalName& portal, Verb verb, std::string rule) const;
  // The proof for what ends a lease, which nobody asks for when its time comes: the grant under which the token was
  // created promised it.
  static TokenGrant EndOfLease(const PortalName& portal);

  // A management request that the broker makes itself, in the name of a grant, with the portal's master credential
  // (or, for a probe, the credential probed). Portals must agree; INTERNAL otherwise.
  absl::StatusOr<AuthorizedCall> Administer(const TokenGrant& grant, const CredentialName& credential,
                                            http::CanonicalRequest request) const;

  const Policy& policy() const { return *policy_; }

 private:
  // The grants of one caller, so that judging does not grow with how many there are.
  struct CallerIndex {
    ForwardIndex forward;
    TokenIndex tokens;
  };

  // The position of the caller's rules in the policy; unset for one that the policy does not know.
  std::optional<std::size_t> RulesOf(const Caller& caller) const;

  std::shared_ptr<const Policy> policy_;
  std::vector<CallerIndex> index_;  // in the order of policy_->callers, whose grants it points to
};

}  // namespace lmbroker::policy
