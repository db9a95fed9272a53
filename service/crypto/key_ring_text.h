#pragma once

// The key ring as the text of its file:
//
//   {
//     "format": "lmbroker-keyring-1",
//     "highest_version": 1,
//     "keys": [
//       {"version": 1, "state": "primary", "create_time": "2026-01-31T12:00:00Z", "key": "<32 bytes in base64>"}
//     ],
//     "audit_key": {"create_time": "2026-01-31T12:00:00Z", "seed": "<32 bytes in base64>"}
//   }
//
// Strict: every field, once, and no other; but `highest_version` and `audit_key` may be missing, since early versions
// did not write them. `state` is primary (exactly one), active or retired; versions are distinct.

#include <string_view>

#include <absl/status/statusor.h>

#include "service/crypto/ring_key.h"

namespace lmbroker::crypto {

// "primary", "active" or "retired".
std::string_view KeyStateName(KeyState state);

// INVALID_ARGUMENT with the place or the rule, never with the text: it holds keys. Leaves no copy of them but the
// result.
absl::StatusOr<RingContent> ParseKeyRing(std::string_view text);

Secret FormatKeyRing(const RingContent& ring);

// The most keys that a ring has, retired ones included.
inline constexpr std::size_t kMostRingKeys = 100;

}  // namespace lmbroker::crypto
