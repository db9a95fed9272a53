#include "service/core/forwarder.h"

#include <utility>

#include "service/audit/intent_durable.h"
#include "service/audit/record.h"
#include "service/base/error.h"
#include "service/core/call_description.h"
#include "service/portal/scrub.h"

namespace lmbroker::core {
namespace {

bool IsRepeatable(const ForwardCall& call) { return call.request->method() == http::Method::kGet || call.idempotent; }

// What to tell when no reply came. LM may have acted on a request of which some left: unless a repeat does no harm,
// that is the answer, whatever ended the wait.
absl::Status Failure(const ForwardCall& call, const http::TransferResult& result) {
  absl::Status status = result.response.status();
  const bool lost = IsRefusal(status, Reason::kPortalUnreachable) || IsRefusal(status, Reason::kDeadline) ||
                    IsRefusal(status, Reason::kPortalError);
  if (!lost || result.delivery == http::Delivery::kNotSent || IsRepeatable(call)) return status;
  auto metadata = MetadataOf(status);
  metadata["cause"] = ReasonName(*ReasonOf(status));
  return Refuse(Reason::kOutcomeUnknown,
                "The portal received the call, but its answer was lost, so it may have happened; read the resource "
                "before you repeat the call.",
                {.metadata = std::move(metadata)});
}

}  // namespace

// NOLINTNEXTLINE(cppcoreguidelines-avoid-reference-coroutine-parameters): outlives the task, as the header says
Task<absl::StatusOr<ForwardReply>> Forwarder::Forward(CallContext& context, ForwardCall call) const {
  audit::Record& record = context.audit.fields();
  Describe(*call.request, call.portal, record);

  const auto engine = parts_.policy.Get();
  const auto authorized = engine->Authorize(context.caller, call.portal, call.credential, call.request);
  if (!authorized.ok()) co_return authorized.status();
  record.rule = authorized->rule();
  record.credential = authorized->credential().ToString();

  const auto entry = parts_.custody.Lookup(authorized->credential());
  if (!entry.ok()) co_return entry.status();
  record.access_id = (*entry)->key.access_id;

  audit::IntentDurable intent(context.audit, DurabilityOf(*call.request), parts_.scheduler);
  const absl::Status recorded = co_await intent;
  if (!recorded.ok()) co_return recorded;

  auto sending = parts_.attempts.Send({.call = *authorized,
                                       .entry = **entry,
                                       .request_id = context.request_id,
                                       .deadline = context.deadline,
                                       .cancelled = context.cancelled,
                                       .repeatable = IsRepeatable(call)});
  Dispatched sent = co_await sending;
  record.attempts = sent.attempts;
  if (!sent.result.response.ok()) co_return Failure(call, sent.result);

  http::Response& response = *sent.result.response;
  record.http_status = response.status;
  const absl::Status scrubbed = portal::ScrubReply(response, (*entry)->forms, parts_.most_reply_bytes);
  if (!scrubbed.ok()) co_return Failure(call, {.response = scrubbed, .delivery = http::Delivery::kMaybeSent});
  co_return ForwardReply{.status = response.status,
                         .headers = http::PassedReplyHeaders(response.headers),
                         .body = std::move(response.body),
                         .credential = authorized->credential(),
                         .attempts = sent.attempts,
                         .budget = sent.budget,
                         .request_id = context.request_id};
}

}  // namespace lmbroker::core
