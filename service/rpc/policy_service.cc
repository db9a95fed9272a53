#include "service/rpc/policy_service.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/policy/verb.h"
#include "service/rpc/convert.h"
#include "service/rpc/unary.h"

namespace lmbroker::rpc {
namespace {

struct Question {
  std::string caller;
  std::variant<policy::ForwardQuestion, policy::TokenQuestion> access;
};

absl::StatusOr<policy::ForwardQuestion> ParseForwardAccess(const v1::ForwardAccess& access) {
  ASSIGN_OR_RETURN(PortalName portal, PortalName::Parse(access.portal(), "forward.portal"));
  std::optional<CredentialName> credential;
  if (!access.credential().empty()) {
    ASSIGN_OR_RETURN(credential, CredentialName::Parse(access.credential(), "forward.credential"));
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

absl::StatusOr<policy::TokenQuestion> ParseTokenAccess(const v1::TokenAccess& access) {
  const auto verb = policy::ParseVerb(access.verb());
  if (!verb.has_value()) {
    return FieldInvalid("token.verb", "must be create, list, get, update, toggle, delete or rotate");
  }
  ASSIGN_OR_RETURN(const std::optional<TokenType> type, FromProto(access.type(), "token.type"));
  if (access.has_ttl()) return FieldInvalid("token.ttl", "is not supported by this version, which leases no tokens");
  const auto admin = AdminName::Parse(access.parent(), "token.parent");
  if (!admin.ok() && *verb != policy::Verb::kList) return admin.status();
  ASSIGN_OR_RETURN(PortalName portal,
                   admin.ok() ? admin->portal() : PortalName::Parse(access.parent(), "token.parent"));
  policy::TokenQuestion question{
      .verb = *verb, .portal = std::move(portal), .type = type, .hand_over = access.hand_over()};
  if (admin.ok()) question.admin = admin->id();
  return question;
}

absl::StatusOr<Question> Parse(const v1::ExplainAccessRequest& request) {
  if (request.caller().empty() || !IsUtf8(request.caller())) {
    return FieldInvalid("caller", "must be an identity or the name of a caller in the policy file");
  }
  switch (request.access_case()) {
    case v1::ExplainAccessRequest::kForward: {
      ASSIGN_OR_RETURN(policy::ForwardQuestion access, ParseForwardAccess(request.forward()));
      return Question{request.caller(), std::move(access)};
    }
    case v1::ExplainAccessRequest::kToken: {
      ASSIGN_OR_RETURN(policy::TokenQuestion access, ParseTokenAccess(request.token()));
      return Question{request.caller(), std::move(access)};
    }
    default:
      return FieldInvalid("access", "must have `forward` or `token`");
  }
}

// Operators may ask about anyone, everyone else about itself. A subject that the policy does not know is answered like
// any caller without a grant.
absl::StatusOr<policy::Decision> Explain(core::CallContext& call, const policy::Engine& engine,
                                         const Question& question) {
  const Caller subject = engine.FindCaller(question.caller).value_or(Caller{.identity = question.caller});
  const bool itself =
      question.caller == call.caller.identity || (!subject.name.empty() && subject.name == call.caller.name);
  if (!itself && !call.caller.is_operator) {
    return Refuse(Reason::kNoGrant, "Only an operator may ask what other callers may do; ask about yourself.");
  }
  RETURN_IF_ERROR(call.audit.IntentAndWait(audit::Durability::kFlushedSoon));
  return std::visit([&](const auto& access) { return engine.Explain(subject, access); }, question.access);
}

void Write(policy::Decision decision, v1::ExplainAccessResponse& response) {
  response.set_allowed(decision.allowed);
  response.set_rule(std::move(decision.rule));
  if (decision.reason.has_value()) response.set_reason(std::string(ReasonName(*decision.reason)));
  for (policy::NearMiss& near : decision.nearest) {
    v1::NearMiss& out = *response.add_nearest();
    out.set_rule(std::move(near.rule));
    out.set_failed(std::move(near.failed));
  }
}

}  // namespace

void PolicyService::TakeCalls(CallQueue& queue) {
  Serve(
      edge_, queue, *this, &PolicyService::RequestExplainAccess, "/lmbroker.v1.PolicyService/ExplainAccess", Parse,
      [this](core::CallContext& call, const Question& question) {
        return Explain(call, *edge_.parts().policy.Get(), question);
      },
      [](policy::Decision decision, v1::ExplainAccessResponse& out) { Write(std::move(decision), out); });
}

}  // namespace lmbroker::rpc
