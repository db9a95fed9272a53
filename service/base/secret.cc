#include "service/base/secret.h"

#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <openssl/crypto.h>

namespace lmbroker {

static_assert(!fmt::is_formattable<Secret>::value, "a Secret must not be printable");
static_assert(!std::is_copy_constructible_v<Secret>, "a Secret must not be copied silently");

Secret Secret::WithSize(std::size_t size) {
  Secret secret;
  if (size > 0) {
    secret.data_ = static_cast<char*>(OPENSSL_secure_zalloc(size));
    if (secret.data_ == nullptr) std::abort();  // out of locked memory: no way on that keeps the promise
    secret.size_ = size;
  }
  return secret;
}

Secret::Secret(std::string_view bytes) {
  *this = WithSize(bytes.size());
  if (!bytes.empty()) std::memcpy(data_, bytes.data(), bytes.size());
}

Secret::~Secret() {
  if (data_ != nullptr) OPENSSL_secure_clear_free(data_, size_);
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) OPENSSL_secure_clear_free(data_, size_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

bool operator==(const Secret& a, const Secret& b) {
  return a.size_ == b.size_ && (a.size_ == 0 || CRYPTO_memcmp(a.data_, b.data_, a.size_) == 0);
}

void Wipe(void* data, std::size_t size) { OPENSSL_cleanse(data, size); }

absl::Status OpenSecureHeap(std::size_t bytes) {
  // Smallest block 32 bytes. Result 2 means that the heap exists but could not be locked.
  if (CRYPTO_secure_malloc_init(bytes, 32) != 1) {
    return absl::FailedPreconditionError(
        fmt::format("cannot lock {} bytes of memory for keys; raise the memlock limit (ulimit -l)", bytes));
  }
  return absl::OkStatus();
}

}  // namespace lmbroker
