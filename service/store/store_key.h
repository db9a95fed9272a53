#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "service/base/random.h"
#include "service/base/secret.h"
#include "service/crypto/digest.h"

namespace lmbroker::store {

// The key with which the store proves to itself what it wrote (HMAC-SHA256). It lies sealed in the database and is of
// no use for reading secrets. Each use has messages of its own. Immutable: safe for concurrent use.
class StoreKey {
 public:
  static constexpr std::size_t kBytes = 32;
  // Under which it is sealed (crypto::ValueBinding), and found in `sealed_values`.
  static constexpr std::string_view kName = "store key";

  explicit StoreKey(Secret key) : key_(std::move(key)) {}
  static Secret NewKey(Random& random);

  crypto::Digest OfRow(std::string_view table, std::string_view row) const;
  // What hides the sum of a table; `nonce` is used once.
  crypto::Digest Mask(std::string_view nonce, std::string_view table) const;
  crypto::Digest OfIntegrity(std::string_view record) const;
  crypto::Digest OfCounter(std::string_view slot) const;

 private:
  Secret key_;
};

}  // namespace lmbroker::store
