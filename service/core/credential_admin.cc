#include "service/core/credential_admin.h"

#include <utility>

#include "service/audit/call_audit.h"
#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/portal/reply_headers.h"
#include "service/portal/token_requests.h"
#include "service/sign/key.h"

namespace lmbroker::core {
namespace {

// No answer, or none that says anything of the key.
bool MeansUnreachable(const absl::Status& status) {
  for (const Reason reason :
       {Reason::kPortalUnreachable, Reason::kDeadline, Reason::kPortalError, Reason::kReplyTooLarge}) {
    if (IsRefusal(status, reason)) return true;
  }
  return false;
}

ProbeResult Judge(const http::Response& reply) {
  const absl::Status status = portal::CheckReply(reply, portal::Effect::kRepeatable, Reason::kPortalError);
  if (status.ok()) return ProbeResult::kWorks;
  if (IsRefusal(status, Reason::kMasterRefused)) return ProbeResult::kWrongKeyOrDisabled;
  if (IsRefusal(status, Reason::kPortalDenied)) return ProbeResult::kNoPermission;
  return ProbeResult::kUnreachable;
}

}  // namespace

absl::StatusOr<policy::TokenGrant> CredentialAdmin::Authorize(CallContext& context, const PortalName& portal) const {
  context.audit.fields().portal = portal.ToString();
  ASSIGN_OR_RETURN(policy::TokenGrant grant, parts_.portal.policy.Get()->AuthorizeOperator(context.caller, portal));
  context.audit.fields().rule = grant.rule();
  RETURN_IF_ERROR(parts_.portal.portals.Check(portal));
  return grant;
}

absl::StatusOr<store::CredentialRecord> CredentialAdmin::Import(CallContext& context, NewCredential wanted) {
  context.audit.fields().resource = wanted.name.ToString();
  ASSIGN_OR_RETURN(sign::Key key, sign::ParseKey(wanted.type, std::move(wanted.access_id), wanted.secret));
  if (wanted.token.has_value() && wanted.token->portal() != wanted.name.portal()) {
    return FieldInvalid("token", "must be of the same portal");
  }
  RETURN_IF_ERROR(Authorize(context, wanted.name.portal()).status());
  RETURN_IF_ERROR(context.audit.IntentAndWait(audit::Durability::kOnDisk));
  RETURN_IF_ERROR(parts_.custody.Import({.name = wanted.name,
                                         .type = wanted.type,
                                         .access_id = std::move(key.access_id),
                                         .master = wanted.master,
                                         .token = std::move(wanted.token),
                                         .create_time = parts_.portal.clock.Now(),
                                         .secret = {}},
                                        std::move(key.secret)));
  return parts_.custody.Describe(wanted.name);
}

absl::StatusOr<store::CredentialRecord> CredentialAdmin::Get(CallContext& context, const CredentialName& name) {
  context.audit.fields().resource = name.ToString();
  RETURN_IF_ERROR(Authorize(context, name.portal()).status());
  RETURN_IF_ERROR(context.audit.IntentAndWait(audit::Durability::kFlushedSoon));
  return parts_.custody.Describe(name);
}

absl::StatusOr<CredentialPage> CredentialAdmin::List(CallContext& context, const CredentialQuery& query) {
  context.audit.fields().resource = query.portal.ToString();
  const std::vector<std::string> binding = {"credentials", context.caller.identity, query.portal.id()};
  std::string last_seen;
  if (!query.page_token.empty()) {
    ASSIGN_OR_RETURN(last_seen, page_tokens_.Open(query.page_token, binding));
  }
  RETURN_IF_ERROR(Authorize(context, query.portal).status());
  RETURN_IF_ERROR(context.audit.IntentAndWait(audit::Durability::kFlushedSoon));
  CredentialPage page;
  for (store::CredentialRecord& record : parts_.custody.List(query.portal)) {
    if (record.name.id() <= last_seen) continue;
    if (page.credentials.size() == static_cast<std::size_t>(query.page_size)) {
      page.next_page_token = page_tokens_.Seal(page.credentials.back().name.id(), binding);
      break;
    }
    page.credentials.push_back(std::move(record));
  }
  return page;
}

absl::StatusOr<store::CredentialRecord> CredentialAdmin::Toggle(CallContext& context, const CredentialName& name,
                                                                TokenStatus status) {
  context.audit.fields().resource = name.ToString();
  RETURN_IF_ERROR(Authorize(context, name.portal()).status());
  RETURN_IF_ERROR(context.audit.IntentAndWait(audit::Durability::kOnDisk));
  return parts_.custody.SetStatus(name, status);
}

absl::Status CredentialAdmin::Delete(CallContext& context, const CredentialName& name) {
  context.audit.fields().resource = name.ToString();
  RETURN_IF_ERROR(Authorize(context, name.portal()).status());
  RETURN_IF_ERROR(context.audit.IntentAndWait(audit::Durability::kOnDisk));
  const absl::Status removed = parts_.custody.Remove(name);
  return IsRefusal(removed, Reason::kUnknownCredential) ? absl::OkStatus() : removed;
}

absl::StatusOr<Probe> CredentialAdmin::TryOut(CallContext& context, const CredentialName& name) {
  context.audit.fields().resource = name.ToString();
  ASSIGN_OR_RETURN(const policy::TokenGrant grant, Authorize(context, name.portal()));
  ASSIGN_OR_RETURN(std::shared_ptr<const Custody::Entry> entry, parts_.custody.Find(name));
  ASSIGN_OR_RETURN(http::CanonicalRequest request, portal::ProbeKey(entry->record.master));
  ASSIGN_OR_RETURN(PortalSession session,
                   PortalSession::BeginWith(parts_.portal, context, grant, request, std::move(entry)));
  const Clock& clock = parts_.portal.clock;
  const absl::Time sent = clock.Now();
  const absl::Duration start = clock.Monotonic();
  const absl::StatusOr<http::Response> reply =
      session.Probing().Exchange(std::move(request), portal::Effect::kRepeatable);
  const absl::Duration latency = clock.Monotonic() - start;
  if (MeansUnreachable(reply.status())) return Probe{};
  RETURN_IF_ERROR(reply.status());
  return Probe{.result = Judge(*reply),
               .latency = latency,
               .clock_skew = portal::ClockSkew(reply->headers, sent, sent + latency)};
}

}  // namespace lmbroker::core
