#pragma once

// What protects a key ring file by a passphrase: scrypt (RFC 7914) makes a key of it, and that seals the ring.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/statusor.h>

#include "service/base/random.h"
#include "service/base/secret.h"

namespace lmbroker::crypto {

// As they stand in the file. What they cost is bounded, since a hostile file must not take all memory, nor hours.
struct ScryptParameters {
  static constexpr std::size_t kSaltBytes = 16;

  std::uint32_t n = 131072;  // a power of two, 2^14 to 2^20
  std::uint32_t r = 8;       // 1 to 32; n * r at most 2^21, which takes 256 MiB
  std::uint32_t p = 1;       // 1 to 4
  std::string salt;

  bool IsAllowed() const;
  bool operator==(const ScryptParameters&) const = default;
};

// A passphrase's key, with what it was made of. The passphrase itself is not kept. Immutable, so safe for concurrent
// use.
class RingLock {
 public:
  static constexpr std::size_t kLeastPassphrase = 12;  // bytes, of a new one
  static constexpr std::size_t kMostPassphrase = 1024;

  // INVALID_ARGUMENT when the passphrase of a new lock is shorter or longer than allowed.
  static absl::StatusOr<RingLock> Make(const Secret& passphrase, Random& random);
  // With the parameters of a file, which must be allowed. Takes about half a second.
  static RingLock Derive(const Secret& passphrase, const ScryptParameters& parameters);

  RingLock(RingLock&&) = default;
  RingLock& operator=(RingLock&&) = default;

  RingLock Duplicate() const { return {parameters_, key_.Duplicate()}; }
  const ScryptParameters& parameters() const { return parameters_; }

  // The ring as it stands in the file; `random` for its nonce. The parameters are bound in.
  std::string Seal(const Secret& ring, Random& random) const;
  // Nothing when the passphrase was another one, or the file was changed.
  std::optional<Secret> Open(std::string_view sealed) const;

 private:
  RingLock(ScryptParameters parameters, Secret key) : parameters_(std::move(parameters)), key_(std::move(key)) {}
  std::string Associated() const;

  ScryptParameters parameters_;
  Secret key_;
};

}  // namespace lmbroker::crypto
