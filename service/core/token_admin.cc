#include "service/core/token_admin.h"

#include <utility>

#include <fmt/format.h>

#include "service/audit/call_audit.h"
#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/portal/token_requests.h"

namespace lmbroker::core {
namespace {

absl::Status CheckForm(const NoteUpdate& update) {
  for (const std::string& path : update.update_mask) {
    if (path == "note") continue;
    return Refuse(Reason::kFieldImmutable,
                  fmt::format("`update_mask` names {}, but only `note` can be changed; use ToggleToken for the status.",
                              Excerpt(path)),
                  {.field = "update_mask"});
  }
  return CheckNote(update.note, "token.note");
}

// What has ended stays ended, so a token is enabled while its lease lasts, by no request that is under way longer:
// until when on Clock::Monotonic.
absl::StatusOr<absl::Duration> EndOfLease(const TokenAdmin::Parts& parts, const TokenName& name) {
  const absl::StatusOr<store::LeaseRecord> lease = parts.store.GetLease(name);
  if (IsRefusal(lease.status(), Reason::kUnknownToken)) return absl::InfiniteDuration();
  RETURN_IF_ERROR(lease.status());
  const absl::Duration left = lease->expire_time - parts.portal.clock.Now();
  if (left > absl::ZeroDuration()) return parts.portal.clock.Monotonic() + left;
  return Refuse(Reason::kCredentialDisabled,
                fmt::format("The lease of {} has ended, so the broker does not enable it any more; create another "
                            "token.",
                            name.ToString()));
}

}  // namespace

absl::StatusOr<FoundToken> TokenAdmin::Find(CallContext& context, policy::Verb verb, const TokenName& name,
                                            const http::CanonicalRequest& main) {
  return FindForCaller(parts_.portal, parts_.store, parts_.custody, context, verb, name, main);
}

absl::StatusOr<Token> TokenAdmin::View(const TokenName& name, portal::LmToken token) {
  return WithCustody(parts_.store, name.portal(), std::move(token));
}

absl::StatusOr<Token> TokenAdmin::Get(CallContext& context, const TokenName& name) {
  ASSIGN_OR_RETURN(const http::CanonicalRequest main,
                   portal::ListTokens({.admin = name.admin().id(), .only_id = name.id()}));
  ASSIGN_OR_RETURN(FoundToken found, Find(context, policy::Verb::kGet, name, main));
  if (!found.token.has_value()) return UnknownToken(name);
  return View(name, *std::move(found.token));
}

absl::StatusOr<Token> TokenAdmin::UpdateNote(CallContext& context, const NoteUpdate& update) {
  const TokenName& name = update.name;
  context.audit.fields().resource = name.ToString();
  RETURN_IF_ERROR(CheckForm(update));
  ASSIGN_OR_RETURN(http::CanonicalRequest patch, portal::PatchNote(name.admin().id(), name.id(), update.note));
  ASSIGN_OR_RETURN(FoundToken found, Find(context, policy::Verb::kUpdate, name, patch));
  if (!found.token.has_value()) return UnknownToken(name);
  RETURN_IF_ERROR(found.session.Send(std::move(patch), portal::Effect::kRepeatable, Reason::kUnknownToken).status());
  found.token->note = update.note;
  return View(name, *std::move(found.token));
}

absl::StatusOr<Token> TokenAdmin::Toggle(CallContext& context, const TokenName& name, TokenStatus status) {
  ASSIGN_OR_RETURN(http::CanonicalRequest patch, portal::PatchStatus(name.admin().id(), name.id(), status));
  ASSIGN_OR_RETURN(FoundToken found, Find(context, policy::Verb::kToggle, name, patch));
  if (!found.token.has_value()) return UnknownToken(name);
  const bool enables = status == TokenStatus::kEnabled;
  ASSIGN_OR_RETURN(const absl::Duration end,
                   enables ? EndOfLease(parts_, name) : absl::StatusOr<absl::Duration>(absl::InfiniteDuration()));
  PortalSession session = found.session.EndingBy(end);
  // Sent even when the list says that there is nothing to do: it may have been read a moment too early.
  RETURN_IF_ERROR(session.Send(std::move(patch), portal::Effect::kRepeatable, Reason::kUnknownToken).status());
  found.token->status = status;
  parts_.custody.LearnTokenStatus(name.portal(), {&*found.token, 1});
  return View(name, *std::move(found.token));
}

absl::Status TokenAdmin::Delete(CallContext& context, const TokenName& name) {
  ASSIGN_OR_RETURN(http::CanonicalRequest request, portal::DeleteToken(name.admin().id(), name.id()));
  ASSIGN_OR_RETURN(FoundToken found, Find(context, policy::Verb::kDelete, name, request));
  if (found.token.has_value()) {
    const absl::Status deleted =
        found.session.Send(std::move(request), portal::Effect::kRepeatable, Reason::kUnknownToken).status();
    if (!deleted.ok() && !IsRefusal(deleted, Reason::kUnknownToken)) return deleted;
  }
  return parts_.custody.ForgetToken(name);
}

}  // namespace lmbroker::core
