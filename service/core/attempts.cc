#include "service/core/attempts.h"

#include <utility>

#include "service/base/byte_budget.h"
#include "service/base/delay.h"
#include "service/base/error.h"
#include "service/base/secret.h"
#include "service/base/status_macros.h"
#include "service/http/transfer.h"
#include "service/portal/budget_acquire.h"
#include "service/sign/signer.h"

namespace lmbroker::core {
namespace {

using portal::PortalHealth;

constexpr int kUnauthorized = 401;
// A signature whose time was off by more than this may have been refused for it.
constexpr absl::Duration kMistimed = absl::Minutes(1);

// Of locked memory: a signed call holds its signature there for as long as it waits for a connection and an answer.
constexpr double kMostUseOfMemory = 0.95;

bool IsUnauthorized(const http::TransferResult& result) {
  return result.response.ok() && result.response->status == kUnauthorized;
}

// `outdated`: the signature carried a time that another reply has meanwhile shown to be wrong, so that the portal's no
// is not one to the key.
LockoutGuard::Verdict KeyVerdictOf(const http::TransferResult& result, bool outdated) {
  if (!result.response.ok() || (outdated && IsUnauthorized(result))) return LockoutGuard::Verdict::kNothing;
  return IsUnauthorized(result) ? LockoutGuard::Verdict::kRefused : LockoutGuard::Verdict::kTaken;
}

// Whether the call, its key and its part of the rate limit are of one another. Always, or a defect would sign with a
// key that the policy did not name.
bool BelongTogether(const Dispatch& dispatch) {
  return dispatch.entry.record.name == dispatch.call.credential() && dispatch.claim.portal == dispatch.call.portal() &&
         &dispatch.claim.request == &dispatch.call.request();
}

}  // namespace

absl::Status Attempts::Check(const Custody::Entry& entry) const {
  RETURN_IF_ERROR(entry.guard->Check(parts_.clock.Monotonic()));
  const PortalHealth* const health = parts_.healths.Of(entry.record.name.portal());
  return health == nullptr ? absl::OkStatus() : health->breaker.Check();
}

Task<Dispatched> Attempts::Send(Dispatch dispatch, std::optional<portal::Permit> permit) const {
  Dispatched sent{.result = {.response = Refuse(Reason::kInternal, "The call does not fit its key or its portal.")}};
  PortalHealth* const health = parts_.healths.Of(dispatch.call.portal());
  if (health == nullptr || !BelongTogether(dispatch)) {
    if (permit.has_value()) permit->Return();
    co_return sent;
  }
  health->repeats.CountCall();
  while (true) {
    std::optional<portal::Permit> taken = std::exchange(permit, std::nullopt);
    if (!taken.has_value()) {
      portal::BudgetAcquire acquire(parts_.budgets, dispatch.claim);
      absl::StatusOr<portal::Permit> acquired = co_await acquire;
      if (!acquired.ok() && sent.attempts == 0) sent.result = {.response = acquired.status()};
      if (!acquired.ok()) co_return sent;
      taken.emplace(*std::move(acquired));
    }
    auto sending = SendOnce(&dispatch, health, *std::move(taken), &sent);
    const Sent how = co_await sending;
    if (how == Sent::kNotAdmitted) co_return sent;
    const std::optional<absl::Duration> next = WhenToRepeat(dispatch, *health, sent, how == Sent::kMistimed);
    if (!next.has_value()) co_return sent;
    if (*next > parts_.clock.Monotonic()) {
      Delay delay(parts_.scheduler, *next, dispatch.cancelled);
      const bool elapsed = co_await delay;
      if (!elapsed) co_return sent;
    }
  }
}

Task<Attempts::Sent> Attempts::SendOnce(const Dispatch* dispatch, PortalHealth* health, portal::Permit permit,
                                        Dispatched* sent) const {
  std::optional<absl::StatusOr<Passes>> passes = Admit(*dispatch, *health, nullptr);
  if (!passes.has_value()) {
    auto waiting = AwaitAdmission(dispatch, health);
    passes = co_await waiting;
  }
  if (!passes->ok()) {
    permit.Return();
    if (sent->attempts == 0) sent->result = {.response = passes->status()};
    co_return Sent::kNotAdmitted;
  }
  if (sent->attempts > 0) parts_.metrics.Repeated(dispatch->call.portal().id());
  const absl::Duration start = parts_.clock.Monotonic();
  const absl::Time signing_time = health->clock.Now();
  http::Transfer transfer(parts_.client,
                          sign::Signer::Sign(dispatch->call, dispatch->entry.key, signing_time, dispatch->request_id),
                          {.deadline = dispatch->deadline,
                           .most_reply_bytes = parts_.most_reply_bytes,
                           .streaming = dispatch->streaming,
                           .cancelled = dispatch->cancelled});
  sent->result = co_await transfer;
  ++sent->attempts;
  sent->seen = sent->seen || sent->result.delivery == http::Delivery::kMaybeSent;
  sent->budget = permit.End(sent->result);
  Learn(*dispatch, *health, sent->result, start, **std::move(passes));
  if (!IsUnauthorized(sent->result)) co_return Sent::kEnded;
  const absl::Time expected = signing_time + (parts_.clock.Monotonic() - start);
  co_return absl::AbsDuration(health->clock.Now() - expected) > kMistimed ? Sent::kMistimed : Sent::kEnded;
}

std::optional<absl::StatusOr<Attempts::Passes>> Attempts::Admit(const Dispatch& dispatch, PortalHealth& health,
                                                                LockoutGuard::Waker waker) const {
  LockoutGuard& guard = *dispatch.entry.guard;
  if (SecureHeapUse() > kMostUseOfMemory) return NoRoomFor("the signature");
  if (dispatch.probe) return Passes{.key = guard.Insist(), .portal = health.breaker.Insist()};
  if (absl::Status lease = Custody::CheckLease(dispatch.entry, parts_.clock.Now()); !lease.ok()) return lease;
  auto key = guard.Admit(parts_.clock.Monotonic(), std::move(waker), &dispatch);
  if (!key.has_value()) return std::nullopt;
  if (!key->ok()) return key->status();
  absl::StatusOr<portal::Breaker::Pass> portal = health.breaker.Admit();
  if (!portal.ok()) return portal.status();
  return Passes{.key = **std::move(key), .portal = *std::move(portal)};
}

Task<absl::StatusOr<Attempts::Passes>> Attempts::AwaitAdmission(const Dispatch* dispatch, PortalHealth* health) const {
  while (true) {
    Delay delay(parts_.scheduler, dispatch->deadline, dispatch->cancelled);
    std::optional<absl::StatusOr<Passes>> passes = Admit(*dispatch, *health, delay.Waker());
    if (passes.has_value()) co_return *std::move(passes);
    const bool late = co_await delay;
    dispatch->entry.guard->GiveUp(dispatch);
    if (dispatch->cancelled.stop_requested()) co_return Cancelled();
    if (late) {
      co_return Refuse(Reason::kDeadline,
                       "The deadline of the call ended while the broker waited to see whether the portal takes the "
                       "credential; allow more time.");
    }
  }
}

void Attempts::Learn(const Dispatch& dispatch, PortalHealth& health, const http::TransferResult& result,
                     absl::Duration start, Passes passes) const {
  const absl::Duration end = parts_.clock.Monotonic();
  const bool outdated = health.clock.set_at() > start;  // before this reply, which counts when it is the one to tell
  if (result.response.ok()) {
    Report(health, health.clock.Learn(result.response->headers, start, end, IsUnauthorized(result)));
  }
  Report(dispatch.entry, passes.key.End(KeyVerdictOf(result, outdated), end));
  Report(health, passes.portal.End(portal::VerdictOf(result, end - start)));
}

std::optional<absl::Duration> Attempts::WhenToRepeat(const Dispatch& dispatch, PortalHealth& health,
                                                     const Dispatched& sent, bool mistimed) const {
  auto wait = portal::WaitBeforeRepeat(sent.result, dispatch.repeatable, sent.attempts, parts_.random);
  // The portal's clock is known now, and it did nothing with a signature that it did not believe.
  const bool retime = mistimed && sent.attempts == 1 && dispatch.repeatable == portal::Repeatable::kAlways;
  if (retime) wait = absl::ZeroDuration();
  if (!wait.has_value()) return std::nullopt;
  const absl::Duration when = parts_.clock.Monotonic() + *wait;
  if (when >= dispatch.deadline || dispatch.cancelled.stop_requested()) return std::nullopt;
  return health.repeats.Take() ? std::optional(when) : std::nullopt;
}

void Attempts::Report(const Custody::Entry& entry, LockoutGuard::Change change) const {
  if (change == LockoutGuard::Change::kNone) return;
  const std::string name = entry.record.name.ToString();
  if (change == LockoutGuard::Change::kQuarantined) {
    parts_.metrics.Quarantined(entry.record.name.portal().id());
    parts_.logger.Error("credential_quarantined", {{"credential", name}, {"access_id", entry.key.access_id}});
  } else {
    parts_.logger.Info("credential_healed", {{"credential", name}});
  }
}

void Attempts::Report(const PortalHealth& health, std::optional<portal::Breaker::State> change) const {
  if (!change.has_value()) return;
  if (*change == portal::Breaker::State::kOpen) {
    parts_.logger.Warn("breaker_opened", {{"portal", health.portal.id()}});
  } else {
    parts_.logger.Info("breaker_closed", {{"portal", health.portal.id()}});
  }
}

void Attempts::Report(const PortalHealth& health, std::optional<bool> clock_alarm) const {
  if (!clock_alarm.has_value()) return;
  const double skew = absl::ToDoubleSeconds(health.clock.skew().value_or(absl::ZeroDuration()));
  if (*clock_alarm) {
    parts_.logger.Error("clock_skew", {{"portal", health.portal.id()}, {"seconds", skew}});
  } else {
    parts_.logger.Info("clock_skew_gone", {{"portal", health.portal.id()}, {"seconds", skew}});
  }
}

}  // namespace lmbroker::core
