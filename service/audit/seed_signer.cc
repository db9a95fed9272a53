#include "service/audit/seed_signer.h"

#include <utility>

#include "service/crypto/ed25519.h"

namespace lmbroker::audit {

void SeedSigner::Set(std::optional<Secret> seed) {
  std::string key_id = seed.has_value() ? crypto::Ed25519PublicKey::Of(*seed).fingerprint() : "";
  const MutexLock lock(mutex_);
  seed_ = std::move(seed);
  key_id_ = std::move(key_id);
}

std::optional<CheckpointSignature> SeedSigner::Sign(std::string_view message) {
  const MutexLock lock(mutex_);
  if (!seed_.has_value()) return std::nullopt;
  return CheckpointSignature{.key_id = key_id_, .bytes = crypto::Ed25519Sign(*seed_, message)};
}

}  // namespace lmbroker::audit
