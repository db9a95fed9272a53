#include "service/core/lease_admin.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "service/audit/call_audit.h"
#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/core/lease_step.h"
#include "service/core/marked_create.h"
#include "service/policy/engine.h"

namespace lmbroker::core {
namespace {

using store::LeaseState;

// For the call's own try, so that the background does not do the same meanwhile.
constexpr absl::Duration kOwnTry = absl::Seconds(30);

// The lease as it is when it ends now; one that has ended keeps its end. What it is stuck in is tried again.
store::LeaseRecord Ended(store::LeaseRecord lease, absl::Time now) {
  lease.expire_time = std::min(lease.expire_time, now);
  lease.state = lease.disable_time.has_value() ? LeaseState::kDisabled : LeaseState::kActive;
  lease.next_time = now + kOwnTry;
  lease.attempts = 0;
  lease.last_error.clear();
  return lease;
}

absl::Status StillOpen(const TokenName& token, const absl::Status& cause) {
  auto metadata = WithCause(cause);
  metadata["token"] = token.ToString();
  return Refuse(Reason::kOutcomeUnknown,
                "The lease has ended and the broker signs nothing with the token any more, but the portal did not "
                "confirm that it is disabled; the broker goes on in the background, ListLeases shows how far it is.",
                {.metadata = std::move(metadata)});
}

}  // namespace

absl::StatusOr<policy::TokenGrant> LeaseAdmin::Authorize(CallContext& context, const PortalName& portal) const {
  context.audit.fields().portal = portal.ToString();
  ASSIGN_OR_RETURN(policy::TokenGrant grant, parts_.portal.policy.Get()->AuthorizeOperator(context.caller, portal));
  context.audit.fields().rule = grant.rule();
  RETURN_IF_ERROR(parts_.portal.portals.Check(portal));
  return grant;
}

absl::StatusOr<LeasePage> LeaseAdmin::List(CallContext& context, const LeaseQuery& query) {
  context.audit.fields().resource = query.portal.ToString();
  const std::vector<std::string> binding = {"leases", context.caller.identity, query.portal.id(),
                                            query.stuck_only ? "stuck" : ""};
  std::optional<TokenName> after;
  if (!query.page_token.empty()) {
    ASSIGN_OR_RETURN(const std::string position, page_tokens_.Open(query.page_token, binding));
    ASSIGN_OR_RETURN(after, TokenName::Parse(position, "page_token"));
  }
  RETURN_IF_ERROR(Authorize(context, query.portal).status());
  RETURN_IF_ERROR(context.audit.IntentAndWait(audit::Durability::kFlushedSoon));
  LeasePage page;
  ASSIGN_OR_RETURN(page.leases, parts_.store.ListLeases({.portal = query.portal,
                                                         .stuck_only = query.stuck_only,
                                                         .after = std::move(after),
                                                         .most = query.page_size + 1}));
  if (page.leases.size() > static_cast<std::size_t>(query.page_size)) {
    page.leases.pop_back();
    page.next_page_token = page_tokens_.Seal(page.leases.back().token.ToString(), binding);
  }
  return page;
}

absl::StatusOr<store::LeaseRecord> LeaseAdmin::Revoke(CallContext& context, const TokenName& token) {
  context.audit.fields().resource = token.ToString();
  ASSIGN_OR_RETURN(const policy::TokenGrant grant, Authorize(context, token.portal()));
  RETURN_IF_ERROR(PortalSession::CheckMaster(parts_.portal, token.portal()));
  ASSIGN_OR_RETURN(store::LeaseRecord found, parts_.store.GetLease(token));
  if (found.state == LeaseState::kDisabled) {  // and waits to be deleted
    RETURN_IF_ERROR(context.audit.IntentAndWait(audit::Durability::kFlushedSoon));
    return found;
  }
  store::LeaseRecord lease = Ended(found, parts_.portal.clock.Now());
  ASSIGN_OR_RETURN(const http::CanonicalRequest request, RequestOf(lease));
  ASSIGN_OR_RETURN(PortalSession session, PortalSession::Begin(parts_.portal, context, grant, request));
  // Here first, and durably, whatever the portal says.
  RETURN_IF_ERROR(parts_.custody.ChangeLease(lease));
  PortalSession urgent = session.Urgent();
  const absl::Status done = TakeStep(
      {.clock = parts_.portal.clock, .random = parts_.random, .store = parts_.store, .custody = parts_.custody}, urgent,
      lease);
  if (done.ok()) {
    absl::StatusOr<store::LeaseRecord> now = parts_.store.GetLease(token);
    return IsRefusal(now.status(), Reason::kUnknownToken) ? lease : std::move(now);  // it may be deleted
  }
  return FailureOf(done) == StepFailure::kForGood ? done : StillOpen(token, done);
}

}  // namespace lmbroker::core
