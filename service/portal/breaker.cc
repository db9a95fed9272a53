#include "service/portal/breaker.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "service/base/error.h"

namespace lmbroker::portal {
namespace {

constexpr absl::Duration kHalfLife = absl::Seconds(10);
// It opens at so many failures, when they are also half of what happened.
constexpr double kLeastFailures = 20;
// They fade while they are counted, so twenty are never quite twenty.
constexpr double kRounding = 0.5;
constexpr absl::Duration kFirstOpen = absl::Seconds(1);
constexpr absl::Duration kLongestOpen = absl::Seconds(30);
// What to say while the call that decides is out.
constexpr absl::Duration kTrialWait = absl::Seconds(1);

}  // namespace

std::optional<Breaker::State> Breaker::Pass::End(Verdict verdict) {
  Breaker* const breaker = std::exchange(breaker_, nullptr);
  return breaker == nullptr ? std::nullopt : breaker->Judge(trial_, verdict);
}

absl::Status Breaker::Check() const {
  absl::Duration wait;
  {
    const MutexLock lock(mutex_);
    wait = Wait();
  }
  return wait > absl::ZeroDuration() ? Refusal(wait) : absl::OkStatus();
}

absl::StatusOr<Breaker::Pass> Breaker::Admit() {
  absl::Duration wait;
  {
    const MutexLock lock(mutex_);
    if (state_ == State::kClosed) return Pass(*this, /*trial=*/false);
    wait = Wait();
    if (wait <= absl::ZeroDuration()) {
      state_ = State::kHalfOpen;
      on_trial_ = true;
      return Pass(*this, /*trial=*/true);
    }
  }
  return Refusal(wait);
}

Breaker::Pass Breaker::Insist() {
  const MutexLock lock(mutex_);
  const bool decides = state_ != State::kClosed && !on_trial_;
  if (decides) {
    state_ = State::kHalfOpen;
    on_trial_ = true;
  }
  return {*this, decides};
}

Breaker::State Breaker::state() const {
  const MutexLock lock(mutex_);
  return state_;
}

absl::Duration Breaker::Wait() const {
  if (state_ == State::kClosed) return absl::ZeroDuration();
  if (on_trial_) return kTrialWait;
  return std::max(open_until_ - clock_.Monotonic(), absl::ZeroDuration());
}

std::optional<Breaker::State> Breaker::Judge(bool trial, Verdict verdict) {
  const MutexLock lock(mutex_);
  if (!trial) {
    if (state_ != State::kClosed || verdict == Verdict::kNothing) return std::nullopt;  // news of the time before
    return Count(verdict == Verdict::kFailed);
  }
  on_trial_ = false;
  switch (verdict) {
    case Verdict::kNothing:
      return std::nullopt;  // the next one decides
    case Verdict::kFailed:
      open_for_ = std::min(open_for_ * 2, kLongestOpen);
      Open();
      return State::kOpen;
    case Verdict::kAlive:
      state_ = State::kClosed;
      failures_ = successes_ = 0;
      return State::kClosed;
  }
  return std::nullopt;
}

std::optional<Breaker::State> Breaker::Count(bool failed) {
  const absl::Duration now = clock_.Monotonic();
  const double fade = std::exp2(-absl::FDivDuration(now - counted_at_, kHalfLife));
  counted_at_ = now;
  failures_ = failures_ * fade + (failed ? 1 : 0);
  successes_ = successes_ * fade + (failed ? 0 : 1);
  if (failures_ < kLeastFailures - kRounding || failures_ < successes_) return std::nullopt;
  open_for_ = kFirstOpen;
  Open();
  return State::kOpen;
}

void Breaker::Open() {
  state_ = State::kOpen;
  open_until_ = clock_.Monotonic() + open_for_;
}

absl::Status Breaker::Refusal(absl::Duration wait) const {
  return Refuse(
      Reason::kBreakerOpen,
      fmt::format("The broker sends nothing to {} for a moment, because it failed most calls; try again later.",
                  portal_.ToString()),
      {.metadata = {{"portal", portal_.ToString()}}, .retry_after = wait});
}

}  // namespace lmbroker::portal
