#include "service/crypto/key_ring.h"

#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/file.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/crypto/key_ring_text.h"
#include "service/crypto/private_file.h"

namespace lmbroker::crypto {
namespace {

constexpr std::size_t kMostFileBytes = 65536;

}  // namespace

KeyRing::KeyRing(std::vector<RingKey> keys, Random& random) {
  for (RingKey& key : keys) {
    infos_.push_back(key.info);
    if (key.info.state == KeyState::kRetired) continue;
    if (key.info.state == KeyState::kPrimary) primary_ = key.info.version;
    usable_.emplace(key.info.version, Aead(std::move(key.key), random));
  }
}

absl::StatusOr<KeyRing> KeyRing::Load(const std::string& path, Random& random) {
  RETURN_IF_ERROR(CheckPrivateFile(path));
  ASSIGN_OR_RETURN(const Secret text, ReadSecretFile(path, kMostFileBytes));
  absl::StatusOr<std::vector<RingKey>> keys = ParseKeyRing(text.Reveal());
  if (!keys.ok()) {
    return absl::FailedPreconditionError(fmt::format("{}: {}", path, ToStd(keys.status().message())));
  }
  return KeyRing(*std::move(keys), random);
}

absl::Status KeyRing::CreateFile(const std::string& path, Random& random, absl::Time now) {
  std::vector<RingKey> keys;
  keys.push_back(
      {.info = {.version = 1, .state = KeyState::kPrimary, .create_time = now}, .key = Aead::NewKey(random)});
  return CreatePrivateFile(path, FormatKeyRing(keys).Reveal());
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
