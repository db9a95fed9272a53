#include "service/sign/key.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"

namespace lmbroker::sign {
namespace {

constexpr std::size_t kMostAccessIdBytes = 128;
constexpr std::size_t kMostSecretBytes = 4096;
constexpr std::string_view kBlank = " \t\r\n";

bool IsLetterOrDigit(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsVisible(char c) { return c > ' ' && c <= '~'; }

std::string_view Trim(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

std::string_view WithoutBearer(std::string_view token) {
  const std::string_view word = token.substr(0, token.find_first_of(kBlank));
  return EqualsIgnoreCase(word, "Bearer") ? Trim(token.substr(word.size())) : token;
}

absl::Status CheckAccessId(TokenType type, std::string_view access_id) {
  if (type == TokenType::kLmv1 && access_id.empty()) return FieldInvalid("access_id", "is required for an LMv1 key");
  if (access_id.size() <= kMostAccessIdBytes && std::all_of(access_id.begin(), access_id.end(), IsLetterOrDigit)) {
    return absl::OkStatus();
  }
  return FieldInvalid("access_id", fmt::format("must be letters and digits, at most {}", kMostAccessIdBytes));
}

}  // namespace

absl::StatusOr<Key> ParseKey(TokenType type, std::string access_id, const Secret& secret) {
  RETURN_IF_ERROR(CheckAccessId(type, access_id));
  std::string_view bare = Trim(secret.Reveal());
  if (type == TokenType::kBearer) bare = WithoutBearer(bare);
  if (bare.empty()) return FieldInvalid("secret", "must not be empty");
  if (bare.size() > kMostSecretBytes) {
    return FieldInvalid("secret", fmt::format("must have at most {} bytes", kMostSecretBytes));
  }
  if (!std::all_of(bare.begin(), bare.end(), IsVisible)) {
    return FieldInvalid("secret", "must be visible ASCII without white space inside");
  }
  return Key{.type = type, .access_id = std::move(access_id), .secret = Secret(bare)};
}

}  // namespace lmbroker::sign
