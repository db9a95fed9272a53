#include "service/base/secret.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <openssl/crypto.h>

namespace lmbroker {
namespace {

std::atomic<std::size_t> heap_bytes = 0;

}  // namespace

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

absl::Status OpenSecureHeap(std::size_t most, std::size_t least) {
  constexpr std::size_t kSmallestBlock = 32;
  constexpr int kLocked = 1;  // 2 means that the heap exists but could not be locked
  for (std::size_t bytes = most; bytes >= least; bytes /= 2) {
    if (CRYPTO_secure_malloc_init(bytes, kSmallestBlock) == kLocked) {
      heap_bytes = bytes;
      return absl::OkStatus();
    }
    CRYPTO_secure_malloc_done();
  }
  return absl::FailedPreconditionError(
      fmt::format("cannot lock {} bytes of memory for keys; raise the memlock limit (ulimit -l)", least));
}

double SecureHeapUse() {
  const std::size_t bytes = heap_bytes;
  return bytes == 0 ? 0 : static_cast<double>(CRYPTO_secure_used()) / static_cast<double>(bytes);
}

}  // namespace lmbroker
