#include "service/core/forwarder.h"

#include <utility>

#include "service/audit/intent_durable.h"
#include "service/audit/record.h"
#include "service/base/status_macros.h"
#include "service/core/call_description.h"
#include "service/core/lost_answer.h"
#include "service/portal/budget_acquire.h"
#include "service/portal/scrub.h"

namespace lmbroker::core {
// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters): outlives the task, as the header says
Task<absl::StatusOr<ForwardReply>> Forwarder::Forward(CallContext& context, ForwardCall call) const {
  const auto cleared = Clear(context, call);
  if (!cleared.ok()) co_return cleared.status();

  // Before the intent, so that what there is no room for costs no write to the disk.
  const portal::BudgetClaim claim = ClaimOf(context, call, cleared->weight);
  portal::BudgetAcquire acquire(parts_.budgets, claim);
  absl::StatusOr<portal::Permit> permit = co_await acquire;
  if (!permit.ok()) co_return permit.status();

  audit::IntentDurable intent(context.audit, DurabilityOf(*call.request), parts_.scheduler);
  const absl::Status recorded = co_await intent;
  if (!recorded.ok()) permit->Return();
  if (!recorded.ok()) co_return recorded;

  auto sending = parts_.attempts.Send({.call = cleared->call,
                                       .entry = *cleared->entry,
                                       .request_id = context.request_id,
                                       .deadline = context.deadline,
                                       .cancelled = context.cancelled,
                                       .claim = claim,
                                       .repeatable = call.repeatable()},
                                      *std::move(permit));
  Dispatched sent = co_await sending;
  audit::Record& record = context.audit.fields();
  record.attempts = sent.attempts;
  const portal::Repeatable repeatable = call.repeatable();
  if (!sent.result.response.ok()) {
    co_return ToldOfLostAnswer(sent.result.response.status(), sent.result.delivery, repeatable);
  }

  http::Response& response = *sent.result.response;
  record.http_status = response.status;
  const absl::Status scrubbed = portal::ScrubReply(response, cleared->entry->forms, parts_.most_reply_bytes);
  if (!scrubbed.ok()) co_return ToldOfLostAnswer(scrubbed, http::Delivery::kMaybeSent, repeatable);
  co_return ForwardReply{.status = response.status,
                         .headers = http::PassedReplyHeaders(response.headers),
                         .body = std::move(response.body),
                         .credential = cleared->call.credential(),
                         .attempts = sent.attempts,
                         .budget = sent.budget,
                         .request_id = context.request_id};
}

absl::StatusOr<Forwarder::Cleared> Forwarder::Clear(CallContext& context, const ForwardCall& call) const {
  audit::Record& record = context.audit.fields();
  Describe(*call.request, call.portal, record);
  const auto engine = parts_.policy.Get();
  ASSIGN_OR_RETURN(policy::AuthorizedCall authorized,
                   engine->Authorize(context.caller, call.portal, call.credential, call.request));
  record.rule = authorized.rule();
  record.credential = authorized.credential().ToString();
  ASSIGN_OR_RETURN(std::shared_ptr<const Custody::Entry> entry, parts_.custody.Lookup(authorized.credential()));
  record.access_id = entry->key.access_id;
  RETURN_IF_ERROR(parts_.attempts.Check(*entry));
  const policy::CallerBudget share = engine->BudgetOf(context.caller);
  RETURN_IF_ERROR(parts_.rates.Admit(context.caller.name, share.max_per_minute));
  return Cleared{.call = std::move(authorized), .entry = std::move(entry), .weight = share.weight};
}

portal::BudgetClaim Forwarder::ClaimOf(const CallContext& context, const ForwardCall& call, int weight) {
  return {.portal = call.portal,
          .request = *call.request,
          .caller = context.caller.name,
          .weight = weight,
          .deadline = context.deadline,
          .cancelled = context.cancelled};
}

}  // namespace lmbroker::core
