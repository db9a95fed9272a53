#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/random.h"
#include "service/base/secret.h"
#include "service/crypto/aead.h"
#include "service/crypto/key_wrapper.h"
#include "service/crypto/ring_key.h"

namespace lmbroker::crypto {

// The key-encryption keys by version, one of them primary, from a file that only the broker's user can read (see
// key_ring_text.h for its format). Immutable once loaded: a reload makes another one.
class KeyRing final : public KeyWrapper {
 public:
  // `random` must outlive it.
  KeyRing(RingContent ring, Random& random);

  // Reads a ring that no passphrase protects. FAILED_PRECONDITION with the path and the problem: the file is missing,
  // not private, or not a valid ring.
  static absl::StatusOr<KeyRing> Load(const std::string& path, Random& random);

  // Makes the file of a new ring (ring_changes.h). Never overwrites: ALREADY_EXISTS.
  static absl::Status CreateFile(const std::string& path, Random& random, absl::Time now);

  // Every version in the order of the file, the retired ones too.
  const std::vector<RingKeyInfo>& keys() const { return infos_; }
  // The Ed25519 seed (AuditKey::kSeedBytes) that signs the audit trail's checkpoints. Nothing when the ring has none:
  // one of an early version, to which `lmbrokerd keyring add` adds it.
  std::optional<Secret> audit_seed() const;

  std::uint32_t PrimaryVersion() const override { return primary_; }
  absl::StatusOr<WrappedKey> Wrap(const Secret& data_key, std::string_view associated) const override;
  absl::StatusOr<Secret> Unwrap(const WrappedKey& wrapped, std::string_view associated) const override;

 private:
  std::vector<RingKeyInfo> infos_;
  std::map<std::uint32_t, Aead> usable_;
  std::uint32_t primary_ = 0;
  std::optional<AuditKey> audit_key_;
};

}  // namespace lmbroker::crypto
