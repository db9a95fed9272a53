#include "service/crypto/key_holder.h"

#include <utility>

#include "service/base/error.h"

namespace lmbroker::crypto {
namespace {

absl::Status NoKeys() { return Refuse(Reason::kSealed, "The broker is sealed; an operator can unseal it."); }

}  // namespace

KeyHolder::KeyHolder(std::shared_ptr<const KeyWrapper> keys) : keys_(std::move(keys)) {}

void KeyHolder::Set(std::shared_ptr<const KeyWrapper> keys) {
  const MutexLock lock(mutex_);
  keys_.swap(keys);  // the old ones die outside the lock
}

std::shared_ptr<const KeyWrapper> KeyHolder::Get() const {
  const MutexLock lock(mutex_);
  return keys_;
}

std::uint32_t KeyHolder::PrimaryVersion() const {
  const auto keys = Get();
  return keys == nullptr ? 0 : keys->PrimaryVersion();
}

absl::StatusOr<WrappedKey> KeyHolder::Wrap(const Secret& data_key, std::string_view associated) const {
  const auto keys = Get();
  if (keys == nullptr) return NoKeys();
  return keys->Wrap(data_key, associated);
}

absl::StatusOr<Secret> KeyHolder::Unwrap(const WrappedKey& wrapped, std::string_view associated) const {
  const auto keys = Get();
  if (keys == nullptr) return NoKeys();
  return keys->Unwrap(wrapped, associated);
}

}  // namespace lmbroker::crypto
