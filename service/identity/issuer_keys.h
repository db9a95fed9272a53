#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "service/base/mutex.h"
#include "service/identity/key_set.h"

namespace lmbroker::identity {

// The keys of the tokens' issuer that are in force, wherever they come from. A change swaps them whole; what cannot be
// used changes nothing. Safe for concurrent use.
class IssuerKeys {
 public:
  // The set in force; null before there was any.
  std::shared_ptr<const KeySet> Get() const;
  // Changes with the set. What was concluded from another generation counts no more.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  // Puts the key set of `text` into force, if it is another one. What is wrong with it otherwise, as KeySet::Parse says
  // it; then the old one stays.
  absl::Status Take(std::string_view text);
  // A newer set could not be had; the old one stays.
  void Keep(std::string error);
  // Why a newer set was not taken; empty when the last one was.
  std::string error() const;

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const KeySet> keys_ ABSL_GUARDED_BY(mutex_);
  std::string digest_ ABSL_GUARDED_BY(mutex_);  // of the text in force
  std::string error_ ABSL_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> generation_ = 0;
};

}  // namespace lmbroker::identity
