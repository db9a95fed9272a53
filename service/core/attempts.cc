#include "service/core/attempts.h"

#include <utility>

#include "service/base/error.h"
#include "service/http/transfer.h"
#include "service/portal/budget_acquire.h"
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

Task<Dispatched> Attempts::Send(Dispatch dispatch, portal::Permit permit) const {
  const policy::AuthorizedCall& call = dispatch.call;
  Dispatched sent{.result = {.response = absl::UnknownError("not sent")}};
  while (true) {
    http::Transfer transfer(parts_.client,
                            sign::Signer::Sign(call, dispatch.entry.key, parts_.clock.Now(), dispatch.request_id),
                            {.deadline = dispatch.deadline,
                             .most_reply_bytes = parts_.most_reply_bytes,
                             .streaming = dispatch.streaming,
                             .cancelled = dispatch.cancelled});
    sent.result = co_await transfer;
    ++sent.attempts;
    sent.budget = permit.End(sent.result);
    if (!ShouldRepeat(dispatch, sent)) co_return sent;
    portal::BudgetAcquire acquire(parts_.budgets, dispatch.claim);
    absl::StatusOr<portal::Permit> next = co_await acquire;
    if (!next.ok()) co_return sent;  // what the first attempt came to
    permit = *std::move(next);
  }
}

}  // namespace lmbroker::core
