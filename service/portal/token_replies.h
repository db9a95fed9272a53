#pragma once

// LM's answers about API tokens as values (logicmonitor-api, section 4.3). Pure functions, lenient where LM is: fields
// that are missing or unknown do no harm, an id that is none does.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/secret.h"
#include "service/base/token.h"
#include "service/http/client.h"

namespace lmbroker::portal {

// A token as LM shows it. Never its secret.
struct LmToken {
  std::int32_t id = 0;
  std::int32_t admin_id = 0;
  TokenType type = TokenType::kLmv1;  // by the list it came from: what LM writes itself differs between portals
  std::string access_id;
  std::string masked_secret;  // "lmb_****": at most the type's prefix in clear
  std::string admin_name;
  std::vector<std::string> roles;
  std::string note;
  TokenStatus status = TokenStatus::kDisabled;
  std::optional<absl::Time> created_on;
  std::string created_by;
  std::optional<absl::Time> last_used_on;  // unset: never
  std::string last_auth_ip;
};

struct LmTokenPage {
  std::int64_t total = 0;
  std::vector<LmToken> tokens;
};

struct LmCreatedToken {
  LmToken token;
  Secret secret;  // an access key or a Bearer value
};

// PORTAL_ERROR when the body is not what LM promises. `admin`, where the request named one, stands in for an `adminId`
// that the reply lacks.
absl::StatusOr<LmTokenPage> ParseTokenPage(http::Response reply, TokenType type, std::optional<std::int32_t> admin);
absl::StatusOr<LmToken> ParseToken(http::Response reply, TokenType type, std::int32_t admin);

// The reply to a create, the only one with a secret in clear: the secret goes from the body straight into a Secret, its
// place in the body is wiped before anything else reads it. PORTAL_ERROR when there is no secret, too.
absl::StatusOr<LmCreatedToken> ParseCreatedToken(http::Response reply, TokenType type, std::int32_t admin);

// "lmb_****", "lma_****" or "****".
std::string MaskedSecret(std::string_view secret, TokenType type);

}  // namespace lmbroker::portal
