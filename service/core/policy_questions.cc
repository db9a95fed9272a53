#include "service/core/policy_questions.h"

#include <cstddef>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "service/audit/call_audit.h"
#include "service/base/error.h"
#include "service/base/issues.h"
#include "service/base/status_macros.h"
#include "service/core/call_description.h"
#include "service/policy/endpoints.h"
#include "service/policy/engine.h"
#include "service/policy/parse.h"
#include "service/sign/lmv1_message.h"

namespace lmbroker::core {
namespace {

// gRPC's clients take some kilobytes of metadata.
constexpr std::size_t kMostProblems = 10;
constexpr std::size_t kMostProblemBytes = 2000;

// Operators may ask about anyone, everyone else about itself. Who is nobody to the policy is a caller without grants.
absl::StatusOr<Caller> SubjectOf(const Caller& asking, const policy::Engine& engine, const std::string& subject) {
  Caller found = engine.FindCaller(subject).value_or(Caller{.identity = subject});
  const bool itself = subject == asking.identity || (!found.name.empty() && found.name == asking.name);
  if (itself || asking.is_operator) return found;
  return Refuse(Reason::kNoGrant, "Only an operator may ask what other callers may do; ask about yourself.");
}

absl::Status RefusePolicy(const Issues& issues) {
  std::string problems = issues.Text(kMostProblems);
  if (problems.size() > kMostProblemBytes) problems = problems.substr(0, kMostProblemBytes) + "…";
  return Refuse(
      Reason::kFieldInvalid,
      fmt::format("The policy of `policy_yaml` would not be loaded: it has {} problems, of which the metadata "
                  "`problems` has the first; lmbrokerd --check says all of a file.",
                  issues.all().size()),
      {.metadata = {{"problems", std::move(problems)}}, .field = "policy_yaml"});
}

// What the policy says of a call that is only to be explained: with which credential it would be signed, if that is
// known. An operator needs no grant.
absl::StatusOr<std::optional<CredentialName>> CredentialFor(CallContext& context, const policy::Engine& engine,
                                                            const ForwardCall& call) {
  const auto authorized = engine.Authorize(context.caller, call.portal, call.credential, call.request);
  audit::Record& record = context.audit.fields();
  if (authorized.ok()) {
    record.rule = authorized->rule();
    return authorized->credential();
  }
  const bool needs_grant =
      IsRefusal(authorized.status(), Reason::kNoGrant) || IsRefusal(authorized.status(), Reason::kAccountEndpoint);
  const auto as_operator = engine.AuthorizeOperator(context.caller, call.portal);
  if (!needs_grant || !as_operator.ok()) return authorized.status();
  RETURN_IF_ERROR(policy::RefuseEmbeddedTokens(*call.request));
  record.rule = as_operator->rule();
  return call.credential;
}

}  // namespace

absl::StatusOr<policy::Decision> PolicyQuestions::Explain(CallContext& context, const AccessQuestion& question) const {
  const auto engine = parts_.policy.Get();
  ASSIGN_OR_RETURN(const Caller subject, SubjectOf(context.caller, *engine, question.caller));
  RETURN_IF_ERROR(context.audit.IntentAndWait(audit::Durability::kFlushedSoon));
  return std::visit([&](const auto& access) { return engine->Explain(subject, access); }, question.access);
}

absl::StatusOr<SignatureExplanation> PolicyQuestions::ExplainSignature(CallContext& context,
                                                                       const ForwardCall& call) const {
  const http::CanonicalRequest& request = *call.request;
  audit::Record& record = context.audit.fields();
  Describe(request, call.portal, record);
  const auto engine = parts_.policy.Get();
  ASSIGN_OR_RETURN(const std::optional<CredentialName> credential, CredentialFor(context, *engine, call));
  RETURN_IF_ERROR(parts_.portals.Check(call.portal));
  TokenType type = TokenType::kLmv1;
  if (credential.has_value()) {
    record.credential = credential->ToString();
    ASSIGN_OR_RETURN(const store::CredentialRecord described, parts_.custody.Describe(*credential));
    type = described.type;
  }
  RETURN_IF_ERROR(context.audit.IntentAndWait(audit::Durability::kFlushedSoon));

  SignatureExplanation explanation{
      .string_to_sign = "", .signed_path = request.path().decoded(), .wire_target = request.Target(), .clock_skew = {}};
  const portal::PortalHealth* const health = parts_.healths.Of(call.portal);
  if (health == nullptr) return Refuse(Reason::kInternal, "A configured portal has no clock.");
  explanation.clock_skew = health->clock.skew();
  if (type == TokenType::kLmv1) {
    const std::string epoch = sign::Lmv1Epoch(health->clock.Now());
    explanation.string_to_sign = sign::WithoutBody(sign::MakeLmv1Message(request, epoch));
  }
  return explanation;
}

absl::StatusOr<policy::PolicyDiff> PolicyQuestions::Diff(CallContext& context, const std::string& yaml) const {
  std::set<PortalName> portals;
  for (const auto& [portal, master] : parts_.portals.all()) portals.insert(portal);
  Issues issues("policy_yaml");
  auto parsed = policy::ParsePolicy(yaml, portals, issues);
  if (parsed == nullptr) return RefusePolicy(issues);
  RETURN_IF_ERROR(context.audit.IntentAndWait(audit::Durability::kFlushedSoon));
  return policy::DiffPolicies(*parts_.policy.Get(), policy::Engine(std::move(parsed)), portals);
}

absl::StatusOr<CallerGrants> PolicyQuestions::Grants(CallContext& context, const std::string& caller) const {
  const auto engine = parts_.policy.Get();
  ASSIGN_OR_RETURN(const Caller subject, SubjectOf(context.caller, *engine, caller));
  RETURN_IF_ERROR(context.audit.IntentAndWait(audit::Durability::kFlushedSoon));
  const auto found = engine->policy().by_name.find(subject.name);
  if (found == engine->policy().by_name.end()) return CallerGrants{.policy = engine};
  return CallerGrants{.policy = engine, .rules = &engine->policy().callers[found->second]};
}

}  // namespace lmbroker::core
