#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <absl/status/statusor.h>

#include "service/base/mutex.h"

namespace lmbroker::rpc {

// Counts the calls in flight, in all and per identity, and says no beyond the limits (law 7). Safe for concurrent use.
class InFlight {
 public:
  struct Limits {
    std::size_t total = 4096;
    std::size_t per_caller = 512;
  };

  // One admitted call; leaving is the destructor's part.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), identity_(std::move(other.identity_)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(identity_, other.identity_);
      return *this;
    }
    ~Place() {
      if (owner_ != nullptr) owner_->Leave(identity_);
    }

   private:
    friend class InFlight;
    Place(InFlight* owner, std::string identity) : owner_(owner), identity_(std::move(identity)) {}
    InFlight* owner_ = nullptr;
    std::string identity_;
  };

  explicit InFlight(Limits limits) : limits_(limits) {}

  // QUEUE_FULL or CALLER_LIMIT, naming the limit.
  absl::StatusOr<Place> Enter(std::string_view identity);

  std::size_t total() const;

 private:
  void Leave(const std::string& identity);

  const Limits limits_;
  mutable Mutex mutex_;
  std::size_t total_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, std::size_t> by_identity_ ABSL_GUARDED_BY(mutex_);  // only those above zero
};

}  // namespace lmbroker::rpc
