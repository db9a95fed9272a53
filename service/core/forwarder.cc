#include "service/core/forwarder.h"

#include <utility>

#include "service/audit/intent_durable.h"
#include "service/audit/record.h"
#include "service/base/error.h"
#include "service/core/call_description.h"
#include "service/http/transfer.h"
#include "service/portal/scrub.h"
#include "service/sign/signer.h"

namespace lmbroker::core {
namespace {

// One repeat, at once: it is for the kept connection that the portal closed while the request was on its way.
constexpr int kMostAttempts = 2;

bool IsRepeatable(const ForwardCall& call) { return call.request->method() == http::Method::kGet || call.idempotent; }

// Law 6: only what LM cannot have seen, or what does no harm twice, goes out again.
bool ShouldRepeat(const ForwardCall& call, const http::TransferResult& result, int attempts) {
  return attempts < kMostAttempts && IsRefusal(result.response.status(), Reason::kPortalUnreachable) &&
         result.delivery == http::Delivery::kMaybeSent && IsRepeatable(call);
}

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

  http::TransferResult result{.response = absl::UnknownError("not sent")};
  int attempts = 0;
  do {
    ++attempts;
    http::Transfer transfer(
        parts_.client, sign::Signer::Sign(*authorized, (*entry)->key, parts_.clock.Now(), context.request_id),
        {.deadline = context.deadline, .most_reply_bytes = parts_.most_reply_bytes, .cancelled = context.cancelled});
    result = co_await transfer;
  } while (ShouldRepeat(call, result, attempts));
  record.attempts = attempts;
  if (!result.response.ok()) co_return Failure(call, result);

  http::Response& response = *result.response;
  record.http_status = response.status;
  const auto budget = parts_.budgets.Learn(call.portal, *call.request, response.headers);
  const absl::Status scrubbed = portal::ScrubReply(response, (*entry)->forms, parts_.most_reply_bytes);
  if (!scrubbed.ok()) co_return Failure(call, {.response = scrubbed, .delivery = http::Delivery::kMaybeSent});
  co_return ForwardReply{.status = response.status,
                         .headers = http::PassedReplyHeaders(response.headers),
                         .body = std::move(response.body),
                         .credential = authorized->credential(),
                         .attempts = attempts,
                         .budget = budget,
                         .request_id = context.request_id};
}

}  // namespace lmbroker::core
