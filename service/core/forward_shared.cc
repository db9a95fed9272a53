#include <string_view>
#include <utility>

#include "service/audit/intent_durable.h"
#include "service/audit/record.h"
#include "service/base/error.h"
#include "service/core/call_description.h"
#include "service/core/forwarder.h"
#include "service/portal/budget_acquire.h"
#include "service/portal/errors.h"

namespace lmbroker::core {
namespace {

// An end that came because the time of the reader who began the call was up, or would be: those who joined may have
// more. A shared call is cancelled only when nobody waits any more.
bool IsOfWhoBegan(const absl::Status& status) {
  return IsRefusal(status, Reason::kDeadline) || IsRefusal(status, Reason::kDeadlineTooShort);
}

// The reply to one call, for another one.
ForwardReply ForAnother(const ForwardReply& reply, absl::Duration age) {
  ForwardReply copy = reply;
  copy.age = age;
  // It names the call that was sent.
  std::erase_if(copy.headers, [](const http::NameValue& header) { return header.name == "X-Request-Id"; });
  return copy;
}

ForwardReply FromMemory(const KeptReplies::Kept& kept) {
  ForwardReply reply = ForAnother(*kept.reply, kept.age);
  reply.attempts = 0;
  return reply;
}

}  // namespace

// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters): outlives the task, as the header says
Task<absl::StatusOr<ForwardReply>> Forwarder::ReadShared(CallContext& context, ForwardCall call,
                                                         Cleared cleared) const {
  // Each reader's own, whoever's call is sent, and before it is.
  audit::IntentDurable intent(context.audit, DurabilityOf(*call.request), parts_.scheduler);
  const absl::Status recorded = co_await intent;
  if (!recorded.ok()) co_return recorded;

  audit::Record& record = context.audit.fields();
  while (true) {
    const SharedReads::Found found = parts_.reads.Find({.key = cleared.read_key,
                                                        .portal = call.portal,
                                                        .share = cleared.call.share().value_or(absl::ZeroDuration()),
                                                        .deadline = context.deadline,
                                                        .fresh = call.fresh});
    if (found.kept.has_value()) {
      ForwardReply reply = FromMemory(*found.kept);
      record.attempts = 0;
      record.http_status = reply.status;
      reply.request_id = context.request_id;
      co_return reply;
    }
    if (found.begun) Begin(found.read, context, cleared);
    SharedReads::Wait wait(parts_.reads, found.read, context.deadline, context.cancelled);
    const SharedReads::Ending ending = co_await wait;
    if (ending.answer != nullptr) {
      record.attempts = ending.answer->attempts;
      record.http_status = ending.answer->http_status;
    }
    if (!ending.left.ok()) co_return ending.left;
    const absl::StatusOr<ForwardReply>& answered = ending.answer->reply;
    if (!found.begun && IsOfWhoBegan(answered.status())) continue;
    if (!answered.ok()) co_return answered.status();
    ForwardReply reply = found.begun ? *answered : ForAnother(*answered, ending.age);
    reply.request_id = context.request_id;
    co_return reply;
  }
}

void Forwarder::Begin(const std::shared_ptr<SharedReads::Read>& read, const CallContext& context,
                      const Cleared& cleared) const {
  SharedCall shared{.cleared = cleared,
                    .caller = context.caller.name,
                    .request_id = context.request_id,
                    .wait_until = context.deadline,
                    .deadline = read->deadline(),
                    .cancelled = read->cancelled()};
  Start(SendForAll(std::move(shared)), [&reads = parts_.reads, read](Answer answer) {
    const bool keep = answer.reply.ok() && portal::IsPlainSuccess(answer.reply->status, answer.reply->body);
    reads.End(read, std::move(answer), keep);
  });
}

// Nobody's in particular, so that it goes on when whoever began it leaves. The intents of its readers are recorded.
Task<Answer> Forwarder::SendForAll(SharedCall shared) const {
  const Cleared& cleared = shared.cleared;
  const portal::BudgetClaim claim{.portal = cleared.call.portal(),
                                  .request = cleared.call.request(),
                                  .caller = shared.caller,
                                  .weight = cleared.weight,
                                  .deadline = shared.wait_until,
                                  .cancelled = shared.cancelled};
  portal::BudgetAcquire acquire(parts_.budgets, claim);
  absl::StatusOr<portal::Permit> permit = co_await acquire;
  if (!permit.ok()) co_return Answer{.reply = permit.status()};

  auto sending = parts_.attempts.Send({.call = cleared.call,
                                       .entry = *cleared.entry,
                                       .request_id = shared.request_id,
                                       .deadline = shared.deadline,
                                       .cancelled = shared.cancelled,
                                       .claim = claim,
                                       .repeatable = true},
                                      *std::move(permit));
  Dispatched sent = co_await sending;
  co_return AnswerOf(std::move(sent), cleared, /*repeatable=*/true);
}

}  // namespace lmbroker::core
