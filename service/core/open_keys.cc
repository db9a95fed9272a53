#include "service/core/open_keys.h"

#include <chrono>

namespace lmbroker::core {

int OpenKeys::WaitForNone(absl::Duration timeout) {
  const auto end = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout);
  const MutexLock lock(mutex_);
  while (count_ > 0) {
    if (none_.wait_until(mutex_, end) == std::cv_status::timeout) break;
  }
  return count_;
}

void OpenKeys::Add(int change) {
  const MutexLock lock(mutex_);
  count_ += change;
  if (count_ == 0) none_.notify_all();
}

}  // namespace lmbroker::core
