#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/base/secret.h"

namespace lmbroker::crypto {

// A data key under a key-encryption key.
struct WrappedKey {
  std::uint32_t key_version = 0;  // of the key-encryption key
  std::string bytes;              // opaque to all but the wrapper
};

// Wraps data keys with key-encryption keys that do not leave it. The key ring file is one; a PKCS#11 token or Vault's
// Transit engine can take its place, and is why both directions can fail. Safe for concurrent use.
class KeyWrapper {
 public:
  virtual ~KeyWrapper() = default;

  // With which version Wrap would wrap now; a record with another one is to be wrapped again. Asks nobody.
  virtual std::uint32_t PrimaryVersion() const = 0;

  // Wraps with the primary version. `associated` is bound: only the same opens it again.
  virtual absl::StatusOr<WrappedKey> Wrap(const Secret& data_key, std::string_view associated) const = 0;

  // SEALED when the key version is not at hand; INTERNAL when the bytes were changed or are bound to something else.
  virtual absl::StatusOr<Secret> Unwrap(const WrappedKey& wrapped, std::string_view associated) const = 0;
};

}  // namespace lmbroker::crypto
