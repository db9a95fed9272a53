#pragma once

#include <atomic>
#include <optional>
#include <string_view>

#include "service/audit/checkpoint.h"
#include "service/crypto/ed25519.h"
#include "tests/fakes/fake_random.h"

namespace lmbroker::audit {

// Signs with a key of its own, which can be taken away. Safe for concurrent use.
class FakeCheckpointSigner final : public CheckpointSigner {
 public:
  explicit FakeCheckpointSigner(std::uint32_t seed = 1) : random_(seed), seed_(crypto::NewEd25519Seed(random_)) {}

  std::optional<CheckpointSignature> Sign(std::string_view message) override {
    if (sealed) return std::nullopt;
    return CheckpointSignature{.key_id = key.fingerprint(), .bytes = crypto::Ed25519Sign(seed_, message)};
  }

 private:
  FakeRandom random_;
  const Secret seed_;

 public:
  const crypto::Ed25519PublicKey key = crypto::Ed25519PublicKey::Of(seed_);
  std::atomic<bool> sealed = false;
};

}  // namespace lmbroker::audit
