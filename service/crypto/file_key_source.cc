#include "service/crypto/file_key_source.h"

#include <memory>

#include <fmt/format.h>

#include "service/base/status_macros.h"
#include "service/crypto/key_ring.h"
#include "service/crypto/key_ring_file.h"

namespace lmbroker::crypto {

absl::StatusOr<KeySource::Keys> FileKeySource::Open(const Secret& passphrase) {
  const auto ask = [&]() -> absl::StatusOr<Secret> {
    if (!passphrase.empty()) return passphrase.Duplicate();
    return absl::InvalidArgumentError(fmt::format("{}: has a passphrase, and none was given", path_));
  };
  // A passphrase that is given is the one that counts.
  const RingLock* const known = passphrase.empty() && lock_.has_value() ? &*lock_ : nullptr;
  ASSIGN_OR_RETURN(OpenedRing ring, OpenKeyRingFile(path_, ask, known));
  auto keys = std::make_shared<const KeyRing>(std::move(ring.content), random_);
  lock_ = std::move(ring.lock);
  return Keys{.wrapper = keys, .audit_seed = keys->audit_seed()};
}

}  // namespace lmbroker::crypto
