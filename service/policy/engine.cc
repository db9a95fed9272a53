#include "service/policy/engine.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/policy/endpoints.h"
#include "service/policy/forward_judge.h"
#include "service/policy/token_judge.h"

namespace lmbroker::policy {
namespace {

// For a caller of whom the policy knows nothing.
std::string UnknownCallerMessage(const Caller& caller) {
  return fmt::format("The policy has no caller with the identity {}; ask an operator to add it.",
                     Excerpt(caller.identity));
}

absl::Status Contradiction() {
  return Refuse(Reason::kInternal, "The policy's decision contradicts itself, so the call is refused.");
}

absl::Status RefuseSecret() {
  return Refuse(Reason::kSecretEndpoint,
                "The broker forwards no call to LogicMonitor's token endpoints, whoever asks; use TokenService.",
                {.field = "path"});
}

absl::Status RefusalOf(const Decision& decision) {
  RefusalDetails details;
  if (!decision.rule.empty()) details.metadata["rule"] = decision.rule;
  if (decision.reason == Reason::kSecretEndpoint) details.field = "path";
  if (decision.reason == Reason::kFieldInvalid) details.field = "credential";
  return Refuse(decision.reason.value_or(Reason::kInternal), decision.message, std::move(details));
}

}  // namespace

absl::Status CheckConsistent(const Decision& decision) {
  const bool refuses = decision.reason.has_value();
  const bool holds =
      decision.allowed ? !refuses && !decision.rule.empty() : refuses && !decision.credential.has_value();
  return holds ? absl::OkStatus() : Contradiction();
}

bool TokenScope::Covers(std::int32_t admin, TokenType type) const {
  return std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) {
    const bool admin_fits =
        part.any_admin || std::find(part.admins.begin(), part.admins.end(), admin) != part.admins.end();
    return admin_fits && std::find(part.types.begin(), part.types.end(), type) != part.types.end();
  });
}

Engine::Engine(std::shared_ptr<const Policy> policy) : policy_(std::move(policy)) {
  for (const CallerRules& rules : policy_->callers) {
    CallerIndex& index = index_.emplace_back();
    for (const ForwardGrant& grant : rules.forward) index.forward.Add(grant);
    for (const TokensGrant& grant : rules.tokens) index.tokens.Add(grant);
  }
}

absl::StatusOr<Caller> Engine::Identify(const std::vector<std::string>& identities, std::string peer) const {
  if (identities.empty()) return Refuse(Reason::kNoIdentity, "The call has no identity; present a client certificate.");
  Caller caller{.identity = identities.front(), .peer = std::move(peer)};
  if (identities.size() > 1) caller.identities = identities;
  for (const std::string& identity : identities) {
    const auto found = policy_->by_identity.find(identity);
    if (found == policy_->by_identity.end()) continue;
    const CallerRules& rules = policy_->callers[found->second];
    if (caller.name.empty()) {
      caller.identity = identity;
      caller.name = rules.name;
      caller.is_operator = rules.is_operator;
    } else if (caller.name != rules.name) {
      return Refuse(Reason::kNoIdentity,
                    "The names in the certificate belong to two callers of the policy; present one that names one.");
    }
  }
  return caller;
}

std::optional<std::size_t> Engine::RulesOf(const Caller& caller) const {
  const auto found = policy_->by_name.find(caller.name);
  return found == policy_->by_name.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Caller> Engine::FindCaller(std::string_view identity_or_name) const {
  auto found = policy_->by_identity.find(identity_or_name);
  const bool by_identity = found != policy_->by_identity.end();
  if (!by_identity) found = policy_->by_name.find(identity_or_name);
  if (!by_identity && found == policy_->by_name.end()) return std::nullopt;
  const CallerRules& rules = policy_->callers[found->second];
  return Caller{.identity = by_identity ? found->first : rules.identities.front(),
                .name = rules.name,
                .is_operator = rules.is_operator};
}

Decision Engine::Decide(const Caller& caller, const ForwardQuestion& question) const {
  const std::vector<std::string_view> segments = question.path.segments();
  if (IsSecretEndpoint(segments)) {
    return {.reason = Reason::kSecretEndpoint, .message = std::string(RefuseSecret().message())};
  }
  const auto rules = RulesOf(caller);
  if (!rules.has_value()) return {.reason = Reason::kNoGrant, .message = UnknownCallerMessage(caller)};
  const std::vector<const ForwardGrant*> grants = index_[*rules].forward.Find(question, segments);
  return JudgeForward(policy_->callers[*rules], grants, question, segments);
}

Decision Engine::Decide(const Caller& caller, const TokenQuestion& question) const {
  const auto rules = RulesOf(caller);
  if (!rules.has_value()) return {.reason = Reason::kNoGrant, .message = UnknownCallerMessage(caller)};
  return JudgeTokens(policy_->callers[*rules], index_[*rules].tokens.Find(question), question);
}

Decision Engine::Explain(const Caller& caller, const ForwardQuestion& question) const {
  Decision decision = Decide(caller, question);
  const auto rules = RulesOf(caller);
  // No rule is near an endpoint that none can open.
  if (!decision.allowed && decision.reason != Reason::kSecretEndpoint && rules.has_value()) {
    decision.nearest = NearestForward(policy_->callers[*rules], question);
  }
  return decision;
}

Decision Engine::Explain(const Caller& caller, const TokenQuestion& question) const {
  Decision decision = Decide(caller, question);
  const auto rules = RulesOf(caller);
  if (!decision.allowed && rules.has_value()) decision.nearest = NearestTokens(policy_->callers[*rules], question);
  return decision;
}

CallerBudget Engine::BudgetOf(const Caller& caller) const {
  const auto rules = RulesOf(caller);
  return rules.has_value() ? policy_->callers[*rules].budget : CallerBudget{};
}

std::optional<int> Engine::MostTokensOf(const Caller& caller) const {
  const auto rules = RulesOf(caller);
  return rules.has_value() ? policy_->callers[*rules].max_tokens : std::nullopt;
}

Decision Engine::Judge(const Caller& caller, const ForwardQuestion& question,
                       const http::CanonicalRequest& request) const {
  Decision decision = Decide(caller, question);
  if (!decision.allowed) return decision;
  const absl::Status body = RefuseEmbeddedTokens(request);
  if (body.ok()) return decision;
  return {.rule = decision.rule,
          .reason = ReasonOf(body).value_or(Reason::kInternal),
          .message = std::string(body.message())};
}

absl::Status Engine::RefuseSecretEndpoint(http::Api /*api*/, const http::CanonicalPath& path) {
  return IsSecretEndpoint(path) ? RefuseSecret() : absl::OkStatus();
}

absl::StatusOr<AuthorizedCall> Engine::Authorize(const Caller& caller, const PortalName& portal,
                                                 const std::optional<CredentialName>& credential,
                                                 std::shared_ptr<const http::CanonicalRequest> request) const {
  const Decision decision = Decide(caller, ForwardQuestion{.portal = portal,
                                                           .credential = credential,
                                                           .api = request->api(),
                                                           .method = request->method(),
                                                           .path = request->path()});
  RETURN_IF_ERROR(CheckConsistent(decision));
  if (!decision.allowed) return RefusalOf(decision);
  // By construction; a defect that would sign for another portal, or with nothing, ends here.
  if (!decision.credential.has_value() || decision.credential->portal() != portal) return Contradiction();
  RETURN_IF_ERROR(RefuseEmbeddedTokens(*request));
  return AuthorizedCall(std::move(request), *decision.credential, decision.rule, decision.share);
}

absl::StatusOr<TokenGrant> Engine::Authorize(const Caller& caller, const TokenQuestion& question) const {
  const Decision decision = Decide(caller, question);
  RETURN_IF_ERROR(CheckConsistent(decision));
  if (!decision.allowed) return RefusalOf(decision);
  return TokenGrant(question.portal, question.verb, decision.rule, decision.ttl);
}

absl::StatusOr<TokenScope> Engine::Scope(const Caller& caller, const PortalName& portal) const {
  const Decision decision = Decide(caller, TokenQuestion{.verb = Verb::kList, .portal = portal});
  const auto rules = RulesOf(caller);
  if (!decision.allowed || !rules.has_value()) return RefusalOf(decision);
  TokenScope scope;
  scope.rule_ = decision.rule;
  if (policy_->callers[*rules].is_operator) {
    scope.parts_.push_back({.any_admin = true, .types = {TokenType::kLmv1, TokenType::kBearer}});
  }
  for (const TokensGrant* grant : index_[*rules].tokens.At(portal)) {
    if (std::find(grant->verbs.begin(), grant->verbs.end(), Verb::kList) == grant->verbs.end()) continue;
    scope.parts_.push_back({.any_admin = grant->any_admin, .admins = grant->admins, .types = grant->types});
  }
  return scope;
}

absl::StatusOr<TokenGrant> Engine::AuthorizeOperator(const Caller& caller, const PortalName& portal) const {
  const auto rules = RulesOf(caller);
  if (!rules.has_value()) return Refuse(Reason::kNoGrant, UnknownCallerMessage(caller));
  if (!policy_->callers[*rules].is_operator) {
    return Refuse(Reason::kNoGrant, fmt::format("This needs an operator, and the caller {} is none.", caller.name));
  }
  return TokenGrant(portal, Verb::kGet, OperatorRule(policy_->callers[*rules]));
}

TokenGrant Engine::GoOn(const PortalName& portal, Verb verb, std::string rule) const {
  return TokenGrant(portal, verb, std::move(rule));
}

TokenGrant Engine::EndOfLease(const PortalName& portal) { return {portal, Verb::kGet, "lease"}; }

absl::StatusOr<AuthorizedCall> Engine::Administer(const TokenGrant& grant, const CredentialName& credential,
                                                  http::CanonicalRequest request) const {
  if (grant.portal() != credential.portal()) {
    return Refuse(Reason::kInternal, "A management request was made for another portal than was granted.");
  }
  return AuthorizedCall(std::make_shared<const http::CanonicalRequest>(std::move(request)), credential, grant.rule(),
                        std::nullopt);
}

}  // namespace lmbroker::policy
