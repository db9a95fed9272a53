#include "service/core/attempts.h"

#include <utility>

#include "service/base/error.h"
#include "service/http/transfer.h"
#include "service/sign/signer.h"

namespace lmbroker::core {
namespace {

// One repeat, at once: it is for the kept connection that the portal closed while the request was on its way.
constexpr int kMostAttempts = 2;

// Law 6: only what LM cannot have seen, or what does no harm twice, goes out again.
bool ShouldRepeat(const Dispatch& dispatch, const Dispatched& sent) {
  return sent.attempts < kMostAttempts && dispatch.repeatable &&
         IsRefusal(sent.result.response.status(), Reason::kPortalUnreachable) &&
         sent.result.delivery == http::Delivery::kMaybeSent;
}

}  // namespace

Task<Dispatched> Attempts::Send(Dispatch dispatch) const {
  const policy::AuthorizedCall& call = dispatch.call;
  Dispatched sent{.result = {.response = absl::UnknownError("not sent")}};
  do {
    // The budget of the endpoint is waited for here.
    http::Transfer transfer(parts_.client,
                            sign::Signer::Sign(call, dispatch.entry.key, parts_.clock.Now(), dispatch.request_id),
                            {.deadline = dispatch.deadline,
                             .most_reply_bytes = parts_.most_reply_bytes,
                             .streaming = dispatch.streaming,
                             .cancelled = dispatch.cancelled});
    sent.result = co_await transfer;
    ++sent.attempts;
    if (const auto& reply = sent.result.response; reply.ok()) {
      sent.budget = parts_.budgets.Learn(call.portal(), call.request(), reply->headers);
    }
  } while (ShouldRepeat(dispatch, sent));
  co_return sent;
}

}  // namespace lmbroker::core
