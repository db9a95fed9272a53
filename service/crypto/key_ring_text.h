#pragma once

// The key ring as the text of its file:
//
//   {
//     "format": "lmbroker-keyring-1",
//     "keys": [
//       {"version": 1, "state": "primary", "create_time": "2026-01-31T12:00:00Z", "key": "<32 bytes in base64>"}
//     ]
//   }
//
// Strict: every field, once, and no other. `state` is primary (exactly one), active or retired; versions are distinct.

#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "service/crypto/ring_key.h"

namespace lmbroker::crypto {

// "primary", "active" or "retired".
std::string_view KeyStateName(KeyState state);

// INVALID_ARGUMENT with the place or the rule, never with the text: it holds keys. Leaves no copy of them but the
// result.
absl::StatusOr<std::vector<RingKey>> ParseKeyRing(std::string_view text);

Secret FormatKeyRing(const std::vector<RingKey>& keys);

}  // namespace lmbroker::crypto
