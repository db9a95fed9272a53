#pragma once

#include <memory>
#include <utility>

#include "service/base/mutex.h"
#include "service/policy/engine.h"

namespace lmbroker::core {

// The policy in force. A reload swaps it whole; whoever holds a snapshot finishes with it. Safe for concurrent use.
class PolicyHolder {
 public:
  explicit PolicyHolder(std::shared_ptr<const policy::Engine> engine) : engine_(std::move(engine)) {}

  std::shared_ptr<const policy::Engine> Get() const {
    const MutexLock lock(mutex_);
    return engine_;
  }
  void Swap(std::shared_ptr<const policy::Engine> engine) {
    const MutexLock lock(mutex_);
    engine_ = std::move(engine);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const policy::Engine> engine_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::core
