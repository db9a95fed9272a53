#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <absl/status/statusor.h>

#include "service/base/error.h"
#include "service/base/random.h"
#include "service/base/secret.h"
#include "service/crypto/aead.h"
#include "service/crypto/envelope.h"
#include "service/crypto/key_wrapper.h"
#include "tests/fakes/fake_random.h"

namespace lmbroker {

// A key ring of one key.
class OneKeyWrapper final : public crypto::KeyWrapper {
 public:
  explicit OneKeyWrapper(Random& random) : aead_(crypto::Aead::NewKey(random), random) {}
  std::uint32_t PrimaryVersion() const override { return 1; }
  absl::StatusOr<crypto::WrappedKey> Wrap(const Secret& key, std::string_view associated) const override {
    return crypto::WrappedKey{.key_version = 1, .bytes = aead_.Seal(key.Reveal(), associated)};
  }
  absl::StatusOr<Secret> Unwrap(const crypto::WrappedKey& wrapped, std::string_view associated) const override {
    auto key = aead_.Open(wrapped.bytes, associated);
    if (!key.has_value()) return Refuse(Reason::kInternal, "Does not unwrap.");
    return *std::move(key);
  }

 private:
  crypto::Aead aead_;
};

// An envelope over a ring of its own; with the same seed the same one.
class TestEnvelope {
 public:
  explicit TestEnvelope(std::uint32_t seed = 1) : random_(seed), keys_(random_), envelope_(keys_, random_) {}

  operator const crypto::Envelope&() const { return envelope_; }  // NOLINT(google-explicit-constructor)

 private:
  FakeRandom random_;
  OneKeyWrapper keys_;
  crypto::Envelope envelope_;
};

}  // namespace lmbroker
