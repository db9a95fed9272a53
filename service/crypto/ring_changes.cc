#include "service/crypto/ring_changes.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/base/status_macros.h"
#include "service/crypto/aead.h"
#include "service/crypto/key_ring_text.h"

namespace lmbroker::crypto {
namespace {

using Keys = std::vector<RingKey>;

absl::StatusOr<Keys::iterator> Find(RingContent& ring, std::uint32_t version) {
  const auto found = std::find_if(ring.keys.begin(), ring.keys.end(),
                                  [version](const RingKey& key) { return key.info.version == version; });
  if (found != ring.keys.end()) return found;
  return absl::NotFoundError(
      fmt::format("the ring has no version {}; `lmbrokerd keyring list` shows what it has", version));
}

// The newest key that could become primary without being taken back.
absl::StatusOr<std::uint32_t> NewestActive(const RingContent& ring) {
  std::uint32_t newest = 0;
  for (const RingKey& key : ring.keys) {
    if (key.info.state == KeyState::kActive) newest = std::max(newest, key.info.version);
  }
  if (newest > 0) return newest;
  return absl::FailedPreconditionError(
      "the ring has no active key that could be promoted; make one with `lmbrokerd keyring add`");
}

AuditKey NewAuditKey(Random& random, absl::Time now) {
  static_assert(AuditKey::kSeedBytes == Aead::kKeyBytes);
  return {.create_time = now, .seed = Aead::NewKey(random)};
}

}  // namespace

RingContent NewRing(Random& random, absl::Time now) {
  RingContent ring{.keys = {}, .highest_version = 1, .audit_key = NewAuditKey(random, now)};
  ring.keys.push_back(
      {.info = {.version = 1, .state = KeyState::kPrimary, .create_time = now}, .key = Aead::NewKey(random)});
  return ring;
}

absl::StatusOr<std::uint32_t> AddKey(RingContent& ring, Random& random, absl::Time now) {
  if (ring.keys.size() == kMostRingKeys) {
    return absl::FailedPreconditionError(
        fmt::format("a ring has at most {} keys; retire and purge old ones first", kMostRingKeys));
  }
  if (ring.highest_version == std::numeric_limits<std::uint32_t>::max()) {
    return absl::FailedPreconditionError("every version number of the ring was used; make a new ring");
  }
  const std::uint32_t version = ++ring.highest_version;
  ring.keys.push_back(
      {.info = {.version = version, .state = KeyState::kActive, .create_time = now}, .key = Aead::NewKey(random)});
  if (!ring.audit_key.has_value()) ring.audit_key = NewAuditKey(random, now);
  return version;
}

absl::StatusOr<std::uint32_t> PromoteKey(RingContent& ring, std::optional<std::uint32_t> version) {
  if (!version.has_value()) {
    ASSIGN_OR_RETURN(version, NewestActive(ring));
  }
  ASSIGN_OR_RETURN(const Keys::iterator promoted, Find(ring, *version));
  if (promoted->info.state == KeyState::kPrimary) {
    return absl::FailedPreconditionError(fmt::format("version {} is primary already", *version));
  }
  for (RingKey& key : ring.keys) {
    if (key.info.state == KeyState::kPrimary) key.info.state = KeyState::kActive;
  }
  promoted->info.state = KeyState::kPrimary;
  return *version;
}

absl::Status RetireKey(RingContent& ring, std::uint32_t version) {
  ASSIGN_OR_RETURN(const Keys::iterator key, Find(ring, version));
  if (key->info.state == KeyState::kPrimary) {
    return absl::FailedPreconditionError(
        fmt::format("version {} is primary and cannot be retired; promote another one first", version));
  }
  if (key->info.state == KeyState::kRetired) {
    return absl::FailedPreconditionError(fmt::format("version {} is retired already", version));
  }
  key->info.state = KeyState::kRetired;
  return absl::OkStatus();
}

absl::Status PurgeKey(RingContent& ring, std::uint32_t version) {
  ASSIGN_OR_RETURN(const Keys::iterator key, Find(ring, version));
  if (key->info.state != KeyState::kRetired) {
    return absl::FailedPreconditionError(
        fmt::format("version {} is {}; only a retired one can be purged", version, KeyStateName(key->info.state)));
  }
  ring.keys.erase(key);
  return absl::OkStatus();
}

}  // namespace lmbroker::crypto
