#include "service/store/store_key.h"

#include <cstdint>
#include <span>
#include <string>

#include "service/crypto/hmac.h"
#include "service/store/row_bytes.h"

namespace lmbroker::store {
namespace {

// The first piece of every message, so that no hash of one use is one of another.
constexpr std::string_view kMask = "mask";
constexpr std::string_view kRow = "row ";
constexpr std::string_view kIntegrity = "head";
constexpr std::string_view kCounter = "file";

std::string SizeOf(std::string_view text) {
  std::string size;
  AppendNumber(size, text.size());
  return size;
}

}  // namespace

Secret StoreKey::NewKey(Random& random) {
  Secret key = Secret::WithSize(kBytes);
  random.Fill(std::as_writable_bytes(std::span(key.data(), key.size())));
  return key;
}

crypto::Digest StoreKey::OfRow(std::string_view table, std::string_view row) const {
  return crypto::HmacSha256(key_, {kRow, SizeOf(table), table, row});
}

crypto::Digest StoreKey::Mask(std::string_view nonce, std::string_view table) const {
  return crypto::HmacSha256(key_, {kMask, SizeOf(table), table, nonce});
}

crypto::Digest StoreKey::OfIntegrity(std::string_view record) const {
  return crypto::HmacSha256(key_, {kIntegrity, record});
}

crypto::Digest StoreKey::OfCounter(std::string_view slot) const { return crypto::HmacSha256(key_, {kCounter, slot}); }

}  // namespace lmbroker::store
