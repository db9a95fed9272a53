#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "service/base/random.h"
#include "service/base/secret.h"

namespace lmbroker::crypto {

// Authenticated encryption with associated data under one key: AES-256-GCM (NIST SP 800-38D). The nonce is this class's
// own affair: random, fresh for each message, first in the sealed bytes. One key must seal fewer than 2^32 messages.
// Safe for concurrent use when `random` is.
class Aead {
 public:
  static constexpr std::size_t kKeyBytes = 32;
  static constexpr std::size_t kOverhead = 28;      // nonce and tag
  static constexpr std::size_t kMostBytes = 65536;  // of one plaintext: what is sealed are keys and page tokens

  // A key of any other size than kKeyBytes is a defect of the caller and ends the process.
  Aead(Secret key, Random& random);
  static Secret NewKey(Random& random);

  // Nonce ‖ ciphertext ‖ tag. A plaintext beyond kMostBytes is a defect of the caller and ends the process.
  std::string Seal(std::string_view plaintext, std::string_view associated) const;

  // The plaintext, if `sealed` came from Seal under this key with this `associated` data, every bit as it was.
  std::optional<Secret> Open(std::string_view sealed, std::string_view associated) const;
  // The same for what is no key, into ordinary memory.
  std::optional<std::string> OpenText(std::string_view sealed, std::string_view associated) const;

 private:
  Secret key_;
  Random* random_;
};

}  // namespace lmbroker::crypto
