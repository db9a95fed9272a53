#pragma once

#include <optional>

#include <absl/time/time.h>

#include "service/base/names.h"
#include "service/base/token.h"
#include "service/portal/token_replies.h"

namespace lmbroker::core {

// Who holds the secret of a token.
enum class TokenHolder { kBroker, kHandedOver, kForeign };

// A token as callers see it: what LM shows, and what the broker knows beside it.
struct Token {
  TokenName name;
  portal::LmToken lm;
  TokenHolder holder = TokenHolder::kForeign;
  std::optional<CredentialName> credential;  // where the secret is, when the broker holds it
  std::optional<absl::Time> expire_time;     // of its lease, if it has one
};

}  // namespace lmbroker::core
