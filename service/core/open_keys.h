#pragma once

#include <memory>
#include <utility>

#include <absl/time/time.h>

#include "service/base/mutex.h"

namespace lmbroker::core {

// Counts the keys that lie open in memory, so that who locks them away can wait until the last one is wiped. Safe for
// concurrent use.
class OpenKeys {
 public:
  // One key's place in the count, from its making to its end. Whoever has a key puts this before it, so that the key is
  // wiped first.
  class Place {
   public:
    Place() = default;
    explicit Place(std::shared_ptr<OpenKeys> keys) : keys_(std::move(keys)) { keys_->Add(1); }
    Place(Place&& other) noexcept : keys_(std::exchange(other.keys_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (keys_ != nullptr) keys_->Add(-1);
    }

   private:
    std::shared_ptr<OpenKeys> keys_;
  };

  // How many there are once there is none, or once `timeout` is over.
  int WaitForNone(absl::Duration timeout);

 private:
  void Add(int change);

  Mutex mutex_;
  ConditionVariable none_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace lmbroker::core
