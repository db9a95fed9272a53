#include "service/core/portal_session.h"

#include <algorithm>
#include <future>
#include <utility>

#include <fmt/format.h>

#include "service/audit/call_audit.h"
#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/core/call_description.h"
#include "service/portal/scrub.h"

namespace lmbroker::core {
namespace {

// For the portal's rate limit. Who may wait longer is in no caller's way.
constexpr absl::Duration kLongestWait = absl::Seconds(5);

absl::StatusOr<std::shared_ptr<const Custody::Entry>> FindMaster(const PortalSession::Parts& parts,
                                                                 const PortalName& portal) {
  ASSIGN_OR_RETURN(const CredentialName name, parts.portals.Master(portal));
  absl::StatusOr<std::shared_ptr<const Custody::Entry>> entry = parts.custody.Lookup(name);
  if (IsRefusal(entry.status(), Reason::kUnknownCredential)) {
    return Refuse(Reason::kNoMaster, fmt::format("The master credential of {} is not imported yet; an operator can "
                                                 "import it as {}.",
                                                 portal.ToString(), name.ToString()));
  }
  if (entry.ok() && !(*entry)->record.master) {
    return Refuse(Reason::kNoMaster, fmt::format("{} is configured as the master of its portal, but was not imported "
                                                 "with `master`; an operator can delete it and import it again.",
                                                 name.ToString()));
  }
  return entry;
}

portal::Priority PriorityOf(policy::Verb verb) {
  const bool urgent = verb == policy::Verb::kToggle || verb == policy::Verb::kRotate || verb == policy::Verb::kDelete;
  return urgent ? portal::Priority::kReserved : portal::Priority::kNormal;
}

// What to say when no answer came to a change that the portal may have seen.
absl::Status OutcomeUnknown(const absl::Status& cause) {
  return Refuse(Reason::kOutcomeUnknown,
                "The portal received the request, but its answer was lost, so it may have been carried out; look at "
                "the token before asking again.",
                {.metadata = WithCause(cause)});
}

}  // namespace

PortalSession::PortalSession(const Parts& parts, CallContext& context, policy::TokenGrant grant,
                             std::shared_ptr<const policy::Engine> engine, std::shared_ptr<const Custody::Entry> entry,
                             bool may_change, int weight)
    : parts_(parts),
      record_(&context.audit.fields()),
      grant_(std::move(grant)),
      engine_(std::move(engine)),
      entry_(std::move(entry)),
      may_change_(may_change),
      caller_(context.caller.name),
      weight_(weight),
      priority_(PriorityOf(grant_.verb())),
      request_id_(context.request_id),
      deadline_(context.deadline),
      cancelled_(context.cancelled) {}

PortalSession::PortalSession(const Parts& parts, policy::TokenGrant grant, const Origin& origin,
                             std::shared_ptr<const policy::Engine> engine, std::shared_ptr<const Custody::Entry> entry,
                             absl::Duration deadline, std::stop_token cancelled)
    : parts_(parts),
      record_(nullptr),
      grant_(std::move(grant)),
      engine_(std::move(engine)),
      entry_(std::move(entry)),
      may_change_(true),
      caller_(origin.caller),
      weight_(engine_->BudgetOf({.name = origin.caller}).weight),
      priority_(PriorityOf(grant_.verb())),
      request_id_(origin.request_id),
      deadline_(deadline),
      cancelled_(std::move(cancelled)) {}

absl::StatusOr<PortalSession> PortalSession::Resume(const Parts& parts, const Origin& origin, absl::Duration time,
                                                    std::stop_token cancelled) {
  ASSIGN_OR_RETURN(std::shared_ptr<const Custody::Entry> master, FindMaster(parts, origin.portal));
  auto engine = parts.policy.Get();
  policy::TokenGrant grant = engine->GoOn(origin.portal, origin.verb, origin.rule);
  return PortalSession(parts, std::move(grant), origin, std::move(engine), std::move(master),
                       parts.clock.Monotonic() + time, std::move(cancelled));
}

absl::StatusOr<PortalSession> PortalSession::Begin(const Parts& parts, CallContext& context,
                                                   const policy::TokenGrant& grant,
                                                   const http::CanonicalRequest& main) {
  ASSIGN_OR_RETURN(std::shared_ptr<const Custody::Entry> master, FindMaster(parts, grant.portal()));
  return BeginWith(parts, context, grant, main, std::move(master));
}

absl::StatusOr<PortalSession> PortalSession::BeginWith(const Parts& parts, CallContext& context,
                                                       const policy::TokenGrant& grant,
                                                       const http::CanonicalRequest& main,
                                                       std::shared_ptr<const Custody::Entry> entry) {
  audit::Record& record = context.audit.fields();
  Describe(main, grant.portal(), record);
  record.rule = grant.rule();
  record.credential = entry->record.name.ToString();
  record.access_id = entry->key.access_id;
  auto engine = parts.policy.Get();
  const policy::CallerBudget budget = engine->BudgetOf(context.caller);
  RETURN_IF_ERROR(parts.rates.Admit(context.caller.name, budget.max_per_minute));
  RETURN_IF_ERROR(context.audit.IntentAndWait(DurabilityOf(main)));
  const bool may_change = main.method() != http::Method::kGet;
  return PortalSession(parts, context, grant, std::move(engine), std::move(entry), may_change, budget.weight);
}

absl::StatusOr<http::Response> PortalSession::Exchange(http::CanonicalRequest request, portal::Effect effect) {
  if (request.method() != http::Method::kGet && !may_change_) {
    return Refuse(Reason::kInternal, "A call that was audited as a read tried to change something.");
  }
  ASSIGN_OR_RETURN(const policy::AuthorizedCall call,
                   engine_->Administer(grant_, entry_->record.name, std::move(request)));
  const SharedReads::Write write(parts_.reads, portal(), call.request());
  RETURN_IF_ERROR(CheckTime());
  portal::Repeatable repeatable =
      effect == portal::Effect::kCreate ? portal::Repeatable::kUnlessSeen : portal::Repeatable::kAlways;
  if (probe_) repeatable = portal::Repeatable::kNever;
  Dispatched sent = Await(call, repeatable);
  if (record_ != nullptr) record_->attempts = record_->attempts.value_or(0) + sent.attempts;
  if (sent.result.response.ok()) return Take(*std::move(sent.result.response));
  const bool changed = sent.seen && call.request().method() != http::Method::kGet;
  return changed ? OutcomeUnknown(sent.result.response.status()) : sent.result.response.status();
}

http::Response PortalSession::Take(http::Response reply) {
  if (record_ != nullptr) record_->http_status = reply.status;
  portal::ScrubText(reply.body, entry_->forms);  // nobody needs the master's own key back
  return reply;
}

absl::StatusOr<http::Response> PortalSession::Send(http::CanonicalRequest request, portal::Effect effect,
                                                   Reason not_found) {
  ASSIGN_OR_RETURN(http::Response reply, Exchange(std::move(request), effect));
  RETURN_IF_ERROR(portal::CheckReply(reply, effect, not_found));
  return reply;
}

Dispatched PortalSession::Await(const policy::AuthorizedCall& call, portal::Repeatable repeatable) const {
  const portal::BudgetClaim claim{.portal = portal(),
                                  .request = call.request(),
                                  .caller = caller_,
                                  .weight = weight_,
                                  .priority = priority_,
                                  .deadline = deadline_,
                                  .longest_wait = record_ != nullptr ? kLongestWait : absl::InfiniteDuration(),
                                  .cancelled = cancelled_};
  std::promise<Dispatched> promise;
  std::future<Dispatched> result = promise.get_future();
  Start(parts_.attempts.Send({.call = call,
                              .entry = *entry_,
                              .request_id = request_id_,
                              .deadline = deadline_,
                              .cancelled = cancelled_,
                              .claim = claim,
                              .repeatable = repeatable,
                              .probe = probe_},
                             std::nullopt),
        [promise = std::move(promise)](Dispatched sent) mutable { promise.set_value(std::move(sent)); });
  return result.get();  // every wait and every transfer ends by the deadline
}

absl::Status PortalSession::CheckTime() const {
  if (cancelled_.stop_requested()) return Cancelled();
  if (parts_.clock.Monotonic() < deadline_) return absl::OkStatus();
  return Refuse(Reason::kDeadline, "The deadline of the call ended before the portal was asked; allow more time.");
}

PortalSession PortalSession::Detached(absl::Duration time) const {
  PortalSession session = *this;
  session.record_ = nullptr;
  session.deadline_ = parts_.clock.Monotonic() + time;
  session.cancelled_ = entry_->recalled;
  return session;
}

PortalSession PortalSession::Urgent() const {
  PortalSession session = *this;
  session.priority_ = portal::Priority::kReserved;
  return session;
}

PortalSession PortalSession::Probing() const {
  PortalSession session = Urgent();
  session.probe_ = true;
  return session;
}

PortalSession PortalSession::With(std::shared_ptr<const Custody::Entry> entry) const {
  PortalSession session = *this;
  session.entry_ = std::move(entry);
  return session;
}

absl::Status PortalSession::TakeMaster() {
  ASSIGN_OR_RETURN(entry_, FindMaster(parts_, portal()));
  return absl::OkStatus();
}

PortalSession PortalSession::EndingBy(absl::Duration end) const {
  PortalSession session = *this;
  session.deadline_ = std::min(deadline_, end);
  return session;
}

PortalSession PortalSession::Recallable() const {
  PortalSession session = *this;
  session.cancelled_ = entry_->recalled;
  return session;
}

absl::Status PortalSession::CheckMaster(const Parts& parts, const PortalName& portal) {
  return FindMaster(parts, portal).status();
}

PortalSession PortalSession::WithShareOfTime(double share) const {
  PortalSession session = *this;
  const absl::Duration now = parts_.clock.Monotonic();
  if (deadline_ > now) session.deadline_ = now + (deadline_ - now) * share;
  return session;
}

}  // namespace lmbroker::core
