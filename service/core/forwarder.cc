#include "service/core/forwarder.h"

#include <utility>

#include "service/audit/intent_durable.h"
#include "service/audit/record.h"
#include "service/base/status_macros.h"
#include "service/core/call_description.h"
#include "service/core/lost_answer.h"
#include "service/core/read_key.h"
#include "service/http/headers.h"
#include "service/portal/budget_acquire.h"
#include "service/portal/scrub.h"

namespace lmbroker::core {

// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters): outlives the task, as the header says
Task<absl::StatusOr<ForwardReply>> Forwarder::Forward(CallContext& context, ForwardCall call) const {
  auto cleared = Clear(context, call);
  if (!cleared.ok()) co_return cleared.status();
  const bool is_shared = !cleared->read_key.empty();
  auto answering = is_shared ? ReadShared(context, std::move(call), *std::move(cleared))
                             : SendAlone(context, std::move(call), *std::move(cleared));
  absl::StatusOr<ForwardReply> reply = co_await answering;
  co_return reply;
}

// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters): as above
Task<absl::StatusOr<ForwardReply>> Forwarder::SendAlone(CallContext& context, ForwardCall call, Cleared cleared) const {
  // Before the intent, so that what there is no room for costs no write to the disk.
  const portal::BudgetClaim claim = ClaimOf(context, call, cleared.weight);
  portal::BudgetAcquire acquire(parts_.budgets, claim);
  absl::StatusOr<portal::Permit> permit = co_await acquire;
  if (!permit.ok()) co_return permit.status();

  audit::IntentDurable intent(context.audit, DurabilityOf(*call.request), parts_.scheduler);
  const absl::Status recorded = co_await intent;
  if (!recorded.ok()) permit->Return();
  if (!recorded.ok()) co_return recorded;

  const SharedReads::Write write(parts_.reads, call.portal, *call.request);
  auto sending = parts_.attempts.Send({.call = cleared.call,
                                       .entry = *cleared.entry,
                                       .request_id = context.request_id,
                                       .deadline = context.deadline,
                                       .cancelled = context.cancelled,
                                       .claim = claim,
                                       .repeatable = call.repeatable()},
                                      *std::move(permit));
  Dispatched sent = co_await sending;
  Answer answer = AnswerOf(std::move(sent), cleared, call.repeatable());
  audit::Record& record = context.audit.fields();
  record.attempts = answer.attempts;
  record.http_status = answer.http_status;
  if (answer.reply.ok()) answer.reply->request_id = context.request_id;
  co_return std::move(answer.reply);
}

Answer Forwarder::AnswerOf(Dispatched sent, const Cleared& cleared, portal::Repeatable repeatable) const {
  Answer answer{.reply = absl::UnknownError("pending"), .attempts = sent.attempts, .http_status = {}};
  if (!sent.result.response.ok()) {
    answer.reply = ToldOfLostAnswer(sent.result.response.status(), sent.result.delivery, repeatable);
    return answer;
  }
  http::Response& response = *sent.result.response;
  answer.http_status = response.status;
  const absl::Status scrubbed = portal::ScrubReply(response, cleared.entry->forms, parts_.most_reply_bytes);
  if (!scrubbed.ok()) {
    answer.reply = ToldOfLostAnswer(scrubbed, http::Delivery::kMaybeSent, repeatable);
    return answer;
  }
  answer.reply = ForwardReply{.status = response.status,
                              .headers = http::PassedReplyHeaders(response.headers),
                              .body = std::move(response.body),
                              .credential = cleared.call.credential(),
                              .attempts = sent.attempts,
                              .budget = sent.budget,
                              .age = {},
                              .request_id = ""};
  return answer;
}

absl::StatusOr<Forwarder::Cleared> Forwarder::Clear(CallContext& context, const ForwardCall& call) const {
  audit::Record& record = context.audit.fields();
  Describe(*call.request, call.portal, record);
  const auto engine = parts_.policy.Get();
  ASSIGN_OR_RETURN(policy::AuthorizedCall authorized,
                   parts_.policy.Authorize(*engine, context.caller, call.portal, call.credential, call.request));
  record.rule = authorized.rule();
  record.credential = authorized.credential().ToString();
  ASSIGN_OR_RETURN(std::shared_ptr<const Custody::Entry> entry, parts_.custody.Lookup(authorized.credential()));
  record.access_id = entry->key.access_id;
  RETURN_IF_ERROR(parts_.attempts.Check(*entry));
  const policy::CallerBudget budget = engine->BudgetOf(context.caller);
  RETURN_IF_ERROR(parts_.rates.Admit(context.caller.name, budget.max_per_minute));
  std::string read_key;
  if (authorized.share().has_value()) read_key = ReadKeyOf(authorized, *entry, engine->policy().digest);
  return Cleared{.call = std::move(authorized),
                 .entry = std::move(entry),
                 .weight = budget.weight,
                 .read_key = std::move(read_key)};
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
