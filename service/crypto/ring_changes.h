#pragma once

// The life of a key-encryption key: added as active, promoted to primary, active again when another one is promoted,
// retired when no record needs it any more, purged in the end. Each change keeps the rules of the ring (exactly one
// primary; no version number twice, ever), or is refused with FAILED_PRECONDITION (NOT_FOUND for an unknown version)
// and leaves the ring as it was.

#include <cstdint>
#include <optional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/random.h"
#include "service/crypto/ring_key.h"

namespace lmbroker::crypto {

// A ring with one key, version 1, primary, and an audit key.
RingContent NewRing(Random& random, absl::Time now);

// Adds an active key, and the audit key to a ring that has none. Gives the new version: one above the highest ever.
absl::StatusOr<std::uint32_t> AddKey(RingContent& ring, Random& random, absl::Time now);

// Makes `version` primary, and the former primary active. Any version, a retired one too: that takes it back. Unset:
// the newest that is active. Gives the version.
absl::StatusOr<std::uint32_t> PromoteKey(RingContent& ring, std::optional<std::uint32_t> version);

// Makes `version` unusable. Not the primary.
absl::Status RetireKey(RingContent& ring, std::uint32_t version);

// Deletes `version`, which must be retired.
absl::Status PurgeKey(RingContent& ring, std::uint32_t version);

}  // namespace lmbroker::crypto
