#include "service/crypto/ring_lock.h"

#include <bit>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "service/crypto/aead.h"
#include "service/crypto/encoding.h"
#include "service/crypto/openssl_ptr.h"

namespace lmbroker::crypto {
namespace {

constexpr std::uint32_t kLeastN = 1U << 14;
constexpr std::uint32_t kMostN = 1U << 20;
constexpr std::uint32_t kMostR = 32;
constexpr std::uint32_t kMostP = 4;
constexpr std::uint64_t kMostBlocks = 1U << 21;                  // n * r, of 128 bytes each
constexpr std::uint64_t kMostMemory = std::uint64_t{300} << 20;  // of which OpenSSL makes sure

}  // namespace

bool ScryptParameters::IsAllowed() const {
  return std::has_single_bit(n) && n >= kLeastN && n <= kMostN && r >= 1 && r <= kMostR && p >= 1 && p <= kMostP &&
         std::uint64_t{n} * r <= kMostBlocks && salt.size() == kSaltBytes;
}

absl::StatusOr<RingLock> RingLock::Make(const Secret& passphrase, Random& random) {
  if (passphrase.size() < kLeastPassphrase || passphrase.size() > kMostPassphrase) {
    return absl::InvalidArgumentError(
        fmt::format("the passphrase must have {} to {} bytes", kLeastPassphrase, kMostPassphrase));
  }
  ScryptParameters parameters{.salt = std::string(ScryptParameters::kSaltBytes, '\0')};
  random.Fill(std::as_writable_bytes(std::span(parameters.salt)));
  return Derive(passphrase, parameters);
}

RingLock RingLock::Derive(const Secret& passphrase, const ScryptParameters& parameters) {
  Secret key = Secret::WithSize(Aead::kKeyBytes);
  const std::string_view password = passphrase.Reveal();
  CheckOpenssl(
      EVP_PBE_scrypt(password.data(), password.size(), reinterpret_cast<const unsigned char*>(parameters.salt.data()),
                     parameters.salt.size(), parameters.n, parameters.r, parameters.p, kMostMemory,
                     reinterpret_cast<unsigned char*>(key.data()), key.size()) == 1,
      "EVP_PBE_scrypt");
  return {parameters, std::move(key)};
}

std::string RingLock::Associated() const {
  return fmt::format("lmbroker key ring, scrypt {} {} {} {}", parameters_.n, parameters_.r, parameters_.p,
                     EncodeHex(parameters_.salt));
}

std::string RingLock::Seal(const Secret& ring, Random& random) const {
  return Aead(key_.Duplicate(), random).Seal(ring.Reveal(), Associated());
}

std::optional<Secret> RingLock::Open(std::string_view sealed) const {
  SystemRandom unused;
  return Aead(key_.Duplicate(), unused).Open(sealed, Associated());
}

}  // namespace lmbroker::crypto
