#include "service/rpc/policy_convert.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/policy/token_judge.h"
#include "service/policy/ttl.h"
#include "service/policy/verb.h"
#include "service/rpc/convert.h"
#include "service/rpc/forward_convert.h"

namespace lmbroker::rpc {
namespace {

constexpr std::size_t kMostDifferences = 1000;
// Whoever calls it needs the mark, and nothing else.
constexpr std::string_view kOperatorRpc = "/lmbroker.v1.OperatorService/GetStatus";

absl::StatusOr<std::string> ParseCaller(const std::string& caller) {
  if (!caller.empty() && IsUtf8(caller)) return caller;
  return FieldInvalid("caller", "must be an identity or the name of a caller in the policy file");
}

absl::StatusOr<policy::ForwardQuestion> ParseForwardAccess(const v1::ForwardAccess& access) {
  ASSIGN_OR_RETURN(PortalName portal, PortalName::Parse(access.portal(), "forward.portal"));
  std::optional<CredentialName> credential;
  if (!access.credential().empty()) {
    ASSIGN_OR_RETURN(credential, CredentialName::Parse(access.credential(), "forward.credential"));
    if (credential->portal() != portal) {
      return FieldInvalid("forward.credential", "must belong to the portal of `forward.portal`");
    }
  }
  ASSIGN_OR_RETURN(const http::Api api, FromProto(access.api(), "forward.api"));
  ASSIGN_OR_RETURN(const http::Method method, http::ParseMethod(access.method()));
  ASSIGN_OR_RETURN(http::CanonicalPath path, http::CanonicalPath::Parse(access.path()));
  return policy::ForwardQuestion{.portal = std::move(portal),
                                 .credential = std::move(credential),
                                 .api = api,
                                 .method = method,
                                 .path = std::move(path)};
}

// As CreateToken reads it.
absl::StatusOr<std::optional<absl::Duration>> ParseTtl(const v1::TokenAccess& access, policy::Verb verb) {
  if (!access.has_ttl()) return std::nullopt;
  if (verb != policy::Verb::kCreate) return FieldInvalid("token.ttl", "goes with the verb create alone");
  ASSIGN_OR_RETURN(const absl::Duration ttl, FromProto(access.ttl(), "token.ttl"));
  RETURN_IF_ERROR(policy::CheckTtl(ttl, "token.ttl"));
  return ttl;
}

absl::StatusOr<policy::TokenQuestion> ParseTokenAccess(const v1::TokenAccess& access) {
  const auto verb = policy::ParseVerb(access.verb());
  if (!verb.has_value()) {
    return FieldInvalid("token.verb", "must be create, list, get, update, toggle, delete or rotate");
  }
  ASSIGN_OR_RETURN(const std::optional<TokenType> type, FromProto(access.type(), "token.type"));
  ASSIGN_OR_RETURN(const std::optional<absl::Duration> ttl, ParseTtl(access, *verb));
  const auto admin = AdminName::Parse(access.parent(), "token.parent");
  if (!admin.ok() && *verb != policy::Verb::kList) return admin.status();
  ASSIGN_OR_RETURN(PortalName portal,
                   admin.ok() ? admin->portal() : PortalName::Parse(access.parent(), "token.parent"));
  policy::TokenQuestion question{
      .verb = *verb, .portal = std::move(portal), .type = type, .ttl = ttl, .hand_over = access.hand_over()};
  if (admin.ok()) question.admin = admin->id();
  return question;
}

v1::Api ApiOf(http::Api api) { return api == http::Api::kIngest ? v1::INGEST : v1::MANAGEMENT; }

void Write(const policy::ForwardQuestion& call, v1::SampleCall& out) {
  v1::ForwardAccess& access = *out.mutable_forward();
  access.set_portal(call.portal.ToString());
  if (call.credential.has_value()) access.set_credential(call.credential->ToString());
  access.set_api(ApiOf(call.api));
  access.set_method(std::string(http::MethodName(call.method)));
  access.set_path(call.path.decoded());
}

void Write(const policy::TokenQuestion& call, v1::SampleCall& out) {
  v1::TokenAccess& access = *out.mutable_token();
  access.set_verb(std::string(policy::VerbName(call.verb)));
  access.set_parent(call.admin.has_value() ? AdminName(call.portal, *call.admin).ToString() : call.portal.ToString());
  if (call.type.has_value()) access.set_type(ToProto(*call.type));
  if (call.ttl.has_value()) ToProto(*call.ttl, *access.mutable_ttl());
  access.set_hand_over(call.hand_over);
}

void Write(const policy::OperatorCall& /*call*/, v1::SampleCall& out) { out.set_rpc(std::string(kOperatorRpc)); }

void Write(const policy::Difference& difference, v1::PolicyDifference& out) {
  out.set_caller(difference.caller);
  out.set_grant(difference.rule);
  out.mutable_identities()->Add(difference.identities.begin(), difference.identities.end());
  std::visit([&](const auto& call) { Write(call, *out.mutable_sample()); }, difference.sample);
}

v1::Grant& AddGrant(const policy::CallerRules& caller, const std::string& rule, const PortalName& portal,
                    v1::ListGrantsResponse& out) {
  v1::Grant& grant = *out.add_grants();
  grant.set_caller(caller.name);
  grant.set_rule(rule);
  grant.set_portal(portal.id());
  return grant;
}

void Write(const policy::ForwardGrant& grant, v1::Grant& out) {
  out.set_credential(grant.credential.id());
  for (const http::Method method : grant.methods) out.add_methods(std::string(http::MethodName(method)));
  for (const policy::PathPattern& pattern : grant.paths) out.add_paths(pattern.text());
  out.set_api(grant.api == http::Api::kIngest ? "ingest" : "management");
  out.set_account_writes(grant.account_writes);
  if (grant.share.has_value()) ToProto(*grant.share, *out.mutable_share());
}

void Write(const policy::TokensGrant& grant, v1::Grant& out) {
  if (grant.any_admin) out.add_admins("any");
  for (const std::int32_t admin : grant.admins) out.add_admins(std::to_string(admin));
  for (const TokenType type : grant.types) out.add_types(std::string(policy::TypeWord(type)));
  for (const policy::Verb verb : grant.verbs) out.add_verbs(std::string(policy::VerbName(verb)));
  if (grant.max_ttl.has_value()) ToProto(*grant.max_ttl, *out.mutable_max_ttl());
  out.set_hand_over(grant.hand_over);
}

}  // namespace

absl::StatusOr<core::AccessQuestion> FromProto(const v1::ExplainAccessRequest& request) {
  ASSIGN_OR_RETURN(std::string caller, ParseCaller(request.caller()));
  switch (request.access_case()) {
    case v1::ExplainAccessRequest::kForward: {
      ASSIGN_OR_RETURN(policy::ForwardQuestion access, ParseForwardAccess(request.forward()));
      return core::AccessQuestion{std::move(caller), std::move(access)};
    }
    case v1::ExplainAccessRequest::kToken: {
      ASSIGN_OR_RETURN(policy::TokenQuestion access, ParseTokenAccess(request.token()));
      return core::AccessQuestion{std::move(caller), std::move(access)};
    }
    default:
      return FieldInvalid("access", "must have `forward` or `token`");
  }
}

absl::StatusOr<core::ForwardCall> FromProto(const v1::ExplainSignatureRequest& request,
                                            const http::RequestLimits& limits) {
  if (!request.has_forward()) return FieldInvalid("forward", "must have the call");
  ASSIGN_OR_RETURN(policy::ForwardQuestion access, ParseForwardAccess(request.forward()));
  ASSIGN_OR_RETURN(http::CanonicalRequest canonical, http::CanonicalRequest::Make({.api = access.api,
                                                                                   .method = request.forward().method(),
                                                                                   .path = request.forward().path(),
                                                                                   .query = PairsOf(request.query()),
                                                                                   .body = request.body()},
                                                                                  limits));
  return core::ForwardCall{.portal = std::move(access.portal),
                           .credential = std::move(access.credential),
                           .request = std::make_shared<const http::CanonicalRequest>(std::move(canonical))};
}

absl::StatusOr<std::string> FromProto(const v1::DiffPolicyRequest& request) { return request.policy_yaml(); }

absl::StatusOr<std::string> FromProto(const v1::ListGrantsRequest& request) { return ParseCaller(request.caller()); }

void ToProto(policy::Decision decision, v1::ExplainAccessResponse& out) {
  out.set_allowed(decision.allowed);
  out.set_rule(std::move(decision.rule));
  if (decision.reason.has_value()) out.set_reason(std::string(ReasonName(*decision.reason)));
  for (policy::NearMiss& near : decision.nearest) {
    v1::NearMiss& miss = *out.add_nearest();
    miss.set_rule(std::move(near.rule));
    miss.set_failed(std::move(near.failed));
  }
}

void ToProto(core::SignatureExplanation explanation, v1::ExplainSignatureResponse& out) {
  out.set_string_to_sign(std::move(explanation.string_to_sign));
  out.set_signed_path(std::move(explanation.signed_path));
  out.set_wire_target(std::move(explanation.wire_target));
  if (explanation.clock_skew.has_value()) ToProto(*explanation.clock_skew, *out.mutable_clock_skew());
}

void ToProto(const policy::PolicyDiff& diff, v1::DiffPolicyResponse& out) {
  std::size_t omitted = 0;
  const auto write = [&](const std::vector<policy::Difference>& from, auto& to) {
    const std::size_t shown = std::min(from.size(), kMostDifferences);
    for (std::size_t i = 0; i < shown; ++i) Write(from[i], *to.Add());
    omitted += from.size() - shown;
  };
  write(diff.newly_allowed, *out.mutable_newly_allowed());
  write(diff.newly_refused, *out.mutable_newly_refused());
  out.set_omitted(static_cast<std::int32_t>(omitted));
}

void ToProto(const core::CallerGrants& grants, v1::ListGrantsResponse& out) {
  if (grants.rules == nullptr) return;
  for (const auto& grant : grants.rules->forward) Write(grant, AddGrant(*grants.rules, grant.rule, grant.portal, out));
  for (const auto& grant : grants.rules->tokens) Write(grant, AddGrant(*grants.rules, grant.rule, grant.portal, out));
}

}  // namespace lmbroker::rpc
