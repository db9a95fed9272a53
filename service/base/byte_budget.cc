#include "service/base/byte_budget.h"

#include <absl/time/time.h>
#include <fmt/format.h>

#include "service/base/error.h"

namespace lmbroker {
namespace {

// Bodies are held for as long as a portal takes to answer, or a caller to read.
constexpr absl::Duration kRetryAfter = absl::Milliseconds(200);

}  // namespace

bool ByteBudget::TryTake(std::size_t bytes) {
  std::size_t taken = taken_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_ - taken) return false;
  } while (!taken_.compare_exchange_weak(taken, taken + bytes, std::memory_order_relaxed));
  return true;
}

bool ByteLease::TryResize(std::size_t bytes) {
  if (budget_ != nullptr) {
    if (bytes > bytes_ && !budget_->TryTake(bytes - bytes_)) return false;
    if (bytes < bytes_) budget_->Give(bytes_ - bytes);
  }
  bytes_ = bytes;
  return true;
}

absl::Status NoRoomFor(std::string_view what) {
  return Refuse(Reason::kQueueFull,
                fmt::format("The broker has no memory left for {} beside those of other calls; try again later.", what),
                {.metadata = {{"limit", "memory"}}, .retry_after = kRetryAfter});
}

}  // namespace lmbroker
