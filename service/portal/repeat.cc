#include "service/portal/repeat.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "service/base/error.h"
#include "service/portal/rate_limit.h"
#include "service/portal/reply_headers.h"

namespace lmbroker::portal {
namespace {

constexpr int kMostAttempts = 4;
constexpr absl::Duration kFirstWait = absl::Milliseconds(100);
constexpr absl::Duration kLongestWait = absl::Seconds(5);

constexpr double kRepeatsPerCall = 0.1;
constexpr double kRepeatsPerSecond = 1;
constexpr double kMostRoom = 20;

constexpr int kTooManyRequests = 429;
constexpr int kBadGateway = 502;
constexpr int kServiceUnavailable = 503;
constexpr int kGatewayTimeout = 504;

bool IsPassing(int http_status) {
  return http_status == kTooManyRequests || http_status == kBadGateway || http_status == kServiceUnavailable ||
         http_status == kGatewayTimeout;
}

// Anywhere between nothing and `most`, so that those who failed together do not come back together.
absl::Duration Jittered(absl::Duration most, Random& random) {
  std::uint32_t drawn = 0;
  random.Fill(std::as_writable_bytes(std::span(&drawn, 1)));
  return most * (static_cast<double>(drawn) / UINT32_MAX);
}

}  // namespace

std::optional<absl::Duration> WaitBeforeRepeat(const http::TransferResult& result, Repeatable repeatable, int attempts,
                                               Random& random) {
  if (repeatable == Repeatable::kNever || attempts >= kMostAttempts) return std::nullopt;
  const bool seen = result.delivery != http::Delivery::kNotSent;
  if (seen && repeatable != Repeatable::kAlways) return std::nullopt;
  const absl::Duration wait = std::min(kFirstWait * (1 << (attempts - 1)), kLongestWait);
  if (!result.response.ok()) {
    if (!IsRefusal(result.response.status(), Reason::kPortalUnreachable)) return std::nullopt;
    return attempts == 1 && seen ? absl::ZeroDuration() : Jittered(wait, random);
  }
  if (!IsPassing(result.response->status)) return std::nullopt;
  if (result.response->status == kTooManyRequests) return absl::ZeroDuration();
  const bool told = FindHeader(result.response->headers, "Retry-After").has_value();
  return (told ? RetryAfter(result.response->headers) : absl::ZeroDuration()) + Jittered(wait, random);
}

void RepeatBudget::CountCall() {
  const MutexLock lock(mutex_);
  room_ = std::min(room_ + kRepeatsPerCall, kMostRoom);
}

bool RepeatBudget::Take() {
  const absl::Duration now = clock_.Monotonic();
  const MutexLock lock(mutex_);
  const double seconds = filled_at_ == -absl::InfiniteDuration() ? kMostRoom : absl::ToDoubleSeconds(now - filled_at_);
  room_ = std::min(room_ + seconds * kRepeatsPerSecond, kMostRoom);
  filled_at_ = now;
  if (room_ < 1) return false;
  room_ -= 1;
  return true;
}

}  // namespace lmbroker::portal
