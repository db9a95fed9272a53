#pragma once

// Ed25519 signatures (RFC 8032), for what others must be able to check without a secret.

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/base/random.h"
#include "service/base/secret.h"

namespace lmbroker::crypto {

inline constexpr std::size_t kEd25519SeedBytes = 32;
inline constexpr std::size_t kEd25519SignatureBytes = 64;

// A private key in the form in which it is kept.
Secret NewEd25519Seed(Random& random);

// The signature of `message`. What OpenSSL derives from the seed, which has kEd25519SeedBytes, is wiped before this
// returns.
std::string Ed25519Sign(const Secret& seed, std::string_view message);

// Safe for concurrent use.
class Ed25519PublicKey {
 public:
  static Ed25519PublicKey Of(const Secret& seed);
  // Reads "-----BEGIN PUBLIC KEY-----" (RFC 7468). INVALID_ARGUMENT when it is none, or of another algorithm.
  static absl::StatusOr<Ed25519PublicKey> FromPem(std::string_view pem);

  std::string Pem() const;
  // Names the key: SHA-256 over its 32 bytes, in lower-case hex.
  const std::string& fingerprint() const { return fingerprint_; }
  bool Verify(std::string_view message, std::string_view signature) const;

 private:
  explicit Ed25519PublicKey(std::string bytes);

  std::string bytes_;  // 32
  std::string fingerprint_;
};

}  // namespace lmbroker::crypto
