#include "service/base/clock.h"

#include <chrono>

namespace lmbroker {

absl::Duration SystemClock::Monotonic() const {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace lmbroker
