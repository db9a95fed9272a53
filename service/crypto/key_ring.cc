#include "service/crypto/key_ring.h"

#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/crypto/key_ring_file.h"
#include "service/crypto/ring_changes.h"

namespace lmbroker::crypto {
KeyRing::KeyRing(RingContent ring, Random& random) : audit_key_(std::move(ring.audit_key)) {
  for (RingKey& key : ring.keys) {
    infos_.push_back(key.info);
    if (key.info.state == KeyState::kRetired) continue;
    if (key.info.state == KeyState::kPrimary) primary_ = key.info.version;
    usable_.emplace(key.info.version, Aead(std::move(key.key), random));
  }
}

absl::StatusOr<KeyRing> KeyRing::Load(const std::string& path, Random& random) {
  const auto ask = [&path]() -> absl::StatusOr<Secret> {
    return absl::FailedPreconditionError(fmt::format("{}: has a passphrase", path));
  };
  ASSIGN_OR_RETURN(OpenedRing ring, OpenKeyRingFile(path, ask));
  return KeyRing(std::move(ring.content), random);
}

absl::Status KeyRing::CreateFile(const std::string& path, Random& random, absl::Time now) {
  return CreateKeyRingFile(path, NewRing(random, now), nullptr, random);
}

std::optional<Secret> KeyRing::audit_seed() const {
  if (!audit_key_.has_value()) return std::nullopt;
  return audit_key_->seed.Duplicate();
}

absl::StatusOr<WrappedKey> KeyRing::Wrap(const Secret& data_key, std::string_view associated) const {
  return WrappedKey{.key_version = primary_, .bytes = usable_.at(primary_).Seal(data_key.Reveal(), associated)};
}

absl::StatusOr<Secret> KeyRing::Unwrap(const WrappedKey& wrapped, std::string_view associated) const {
  const auto key = usable_.find(wrapped.key_version);
  if (key == usable_.end()) {
    return Refuse(Reason::kSealed,
                  fmt::format("The secret is sealed with version {} of the key ring, which is not usable; put that "
                              "version back into the ring.",
                              wrapped.key_version));
  }
  std::optional<Secret> data_key = key->second.Open(wrapped.bytes, associated);
  if (!data_key.has_value()) {
    return Refuse(Reason::kInternal,
                  "The sealed secret does not open: its record or the key ring was changed; restore both from one "
                  "backup, or import the credential again.");
  }
  return *std::move(data_key);
}

}  // namespace lmbroker::crypto
