#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/base/mutex.h"
#include "service/base/secret.h"
#include "service/crypto/key_wrapper.h"

namespace lmbroker::crypto {

// The key-encryption keys in force, which a reload swaps whole; none while the broker is sealed. What has begun ends
// with the keys that it began with; they are wiped when the last who uses them has ended. The lock is held only to copy
// a pointer, and no call of the data path wraps or unwraps. Safe for concurrent use.
class KeyHolder final : public KeyWrapper {
 public:
  explicit KeyHolder(std::shared_ptr<const KeyWrapper> keys = nullptr);

  // Null: none.
  void Set(std::shared_ptr<const KeyWrapper> keys);
  std::shared_ptr<const KeyWrapper> Get() const;

  // 0 when there is none.
  std::uint32_t PrimaryVersion() const override;
  // Both SEALED when there is none.
  absl::StatusOr<WrappedKey> Wrap(const Secret& data_key, std::string_view associated) const override;
  absl::StatusOr<Secret> Unwrap(const WrappedKey& wrapped, std::string_view associated) const override;

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const KeyWrapper> keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::crypto
