#include "service/core/lockout_guard.h"

#include <algorithm>

#include <fmt/format.h>

#include "service/base/error.h"

namespace lmbroker::core {
namespace {

constexpr int kMostRefusals = 3;
constexpr absl::Duration kFirstStep = absl::Seconds(5);
constexpr absl::Duration kLongestStep = absl::Minutes(5);
// What to say while the canary is out.
constexpr absl::Duration kCanaryWait = absl::Seconds(1);

}  // namespace

LockoutGuard::Change LockoutGuard::Pass::End(Verdict verdict, absl::Duration now) {
  LockoutGuard* const guard = std::exchange(guard_, nullptr);
  if (guard == nullptr) return Change::kNone;
  Change change = Change::kNone;
  std::vector<Waiter> waiting;
  {
    const MutexLock lock(guard->mutex_);
    change = guard->Judge(canary_, verdict, now);
    waiting.swap(guard->waiting_);
  }
  for (const Waiter& waiter : waiting) waiter.wake();
  return change;
}

absl::Status LockoutGuard::Check(absl::Duration now) const {
  const MutexLock lock(mutex_);
  return CheckLocked(now);
}

absl::Status LockoutGuard::CheckLocked(absl::Duration now) const {
  if (!quarantined_locked() || (!canary_out_ && now >= canary_at_)) return absl::OkStatus();
  return Refuse(
      Reason::kCredentialQuarantined,
      fmt::format("The broker holds {} back because the portal refused it repeatedly (401); an operator should "
                  "probe it.",
                  name_.ToString()),
      {.retry_after = canary_out_ ? kCanaryWait : canary_at_ - now});
}

std::optional<absl::StatusOr<LockoutGuard::Pass>> LockoutGuard::Admit(absl::Duration now, Waker waker,
                                                                      const void* who) {
  const MutexLock lock(mutex_);
  if (absl::Status refused = CheckLocked(now); !refused.ok()) return refused;
  const bool canary = quarantined_locked();
  if (!canary && !taken_ && under_way_ >= kMostRefusals - refusals_) {
    if (waker) waiting_.push_back({.who = who, .wake = std::move(waker)});
    return std::nullopt;
  }
  ++under_way_;
  canary_out_ = canary_out_ || canary;
  return Pass(*this, canary);
}

void LockoutGuard::GiveUp(const void* who) {
  const MutexLock lock(mutex_);
  std::erase_if(waiting_, [who](const Waiter& waiter) { return waiter.who == who; });
}

LockoutGuard::Pass LockoutGuard::Insist() {
  const MutexLock lock(mutex_);
  ++under_way_;
  return {*this, /*canary=*/false};
}

LockoutGuard::Change LockoutGuard::Judge(bool canary, Verdict verdict, absl::Duration now) {
  --under_way_;
  if (canary) canary_out_ = false;
  const bool was_quarantined = quarantined_locked();
  switch (verdict) {
    case Verdict::kNothing:
      return Change::kNone;  // the next canary may go at once
    case Verdict::kTaken:
      refusals_ = 0;
      taken_ = true;
      return was_quarantined ? Change::kHealed : Change::kNone;
    case Verdict::kRefused:
      break;
  }
  taken_ = false;
  refusals_ = std::min(refusals_ + 1, kMostRefusals);
  if (!quarantined_locked()) return Change::kNone;
  // What was under way when the third came says nothing new.
  if (!was_quarantined || canary) {
    step_ = was_quarantined ? std::min(step_ * 2, kLongestStep) : kFirstStep;
    canary_at_ = now + step_;
  }
  return was_quarantined ? Change::kNone : Change::kQuarantined;
}

void LockoutGuard::Heal() {
  const MutexLock lock(mutex_);
  refusals_ = 0;
}

bool LockoutGuard::quarantined() const {
  const MutexLock lock(mutex_);
  return quarantined_locked();
}

bool LockoutGuard::quarantined_locked() const { return refusals_ >= kMostRefusals; }

}  // namespace lmbroker::core
