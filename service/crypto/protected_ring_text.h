#pragma once

// The text of a key ring file that a passphrase protects:
//
//   {
//     "format": "lmbroker-keyring-1-protected",
//     "kdf": "scrypt", "n": 131072, "r": 8, "p": 1, "salt": "<16 bytes in base64>",
//     "sealed": "<the text of the ring (key_ring_text.h), sealed, in base64>"
//   }
//
// Strict: every field, once, and no other.

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/crypto/ring_lock.h"

namespace lmbroker::crypto {

struct ProtectedRing {
  ScryptParameters parameters;
  std::string sealed;
};

// Whether `text` says that it is one.
bool IsProtectedRing(std::string_view text);

// INVALID_ARGUMENT with the place or the field.
absl::StatusOr<ProtectedRing> ParseProtectedRing(std::string_view text);

std::string FormatProtectedRing(const ProtectedRing& ring);

}  // namespace lmbroker::crypto
