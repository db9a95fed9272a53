#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "service/base/secret.h"
#include "service/base/token.h"

namespace lmbroker::sign {

// One usable key: what a credential opens to.
struct Key {
  TokenType type = TokenType::kLmv1;
  std::string access_id;  // LMv1; for Bearer empty unless known
  Secret secret;          // LMv1: the access key; Bearer: the token, without the word "Bearer"
};

// A key as a person gives it (logicmonitor-api, section 3). White space around the secret is dropped, and so is the
// word "Bearer " before a token, since LM's own clients disagree on whether it belongs to one. What remains must be 1
// to 4096 visible ASCII characters; an access id letters and digits, at most 128, required for LMv1. FIELD_INVALID on
// `access_id` or `secret`.
absl::StatusOr<Key> ParseKey(TokenType type, std::string access_id, const Secret& secret);

}  // namespace lmbroker::sign
