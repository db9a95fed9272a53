#pragma once

#include <cstdint>
#include <optional>
#include <vector>

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

// Signs the checkpoints of the audit trail.
struct AuditKey {
  static constexpr std::size_t kSeedBytes = 32;

  absl::Time create_time;
  Secret seed;  // of an Ed25519 key (RFC 8032, section 5.1.5)
};

// All that a key ring file holds.
struct RingContent {
  std::vector<RingKey> keys;          // in the order of the file; exactly one is primary
  std::uint32_t highest_version = 0;  // ever given: that of a purged key is not given again
  std::optional<AuditKey> audit_key;  // rings of early versions have none
};

}  // namespace lmbroker::crypto
