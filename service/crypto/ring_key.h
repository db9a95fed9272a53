#pragma once

#include <cstdint>

#include <absl/time/time.h>

#include "service/base/secret.h"

namespace lmbroker::crypto {

enum class KeyState {
  kPrimary,  // wraps and unwraps
  kActive,   // unwraps only
  kRetired,  // unusable; the file keeps it until it is purged
};

// What may be shown of a key-encryption key.
struct RingKeyInfo {
  std::uint32_t version = 0;
  KeyState state = KeyState::kRetired;
  absl::Time create_time;
};

struct RingKey {
  RingKeyInfo info;
  Secret key;  // Aead::kKeyBytes
};

}  // namespace lmbroker::crypto
