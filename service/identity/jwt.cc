#include "service/identity/jwt.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/crypto/encoding.h"
#include "service/identity/bad_token.h"
#include "service/identity/strict_json.h"

namespace lmbroker::identity {
namespace {

constexpr std::size_t kMostKeyIdBytes = 256;

std::optional<SignatureAlgorithm> AlgorithmOf(std::string_view name) {
  if (name == "RS256") return SignatureAlgorithm::kRs256;
  if (name == "ES256") return SignatureAlgorithm::kEs256;
  return std::nullopt;
}

// Header fields that are not named here may hold keys or where to fetch them; nobody looks at those.
absl::Status ReadHeader(std::string_view text, Jwt& jwt) {
  const auto header = ParseObject(text);
  if (!header.has_value()) return BadToken("has no readable header");
  if (header->contains("crit")) return BadToken("has a header that asks for extensions (`crit`)");
  const auto type = header->find("typ");
  if (type != header->end() && !(type->is_string() && EqualsIgnoreCase(type->get<std::string>(), "JWT"))) {
    return BadToken("is no JWT");
  }
  const auto algorithm = AlgorithmOf(TextOf(*header, "alg").value_or(""));
  if (!algorithm.has_value()) return BadToken("is not signed with RS256 or ES256");
  auto key_id = TextOf(*header, "kid");
  if (!key_id.has_value() || key_id->size() > kMostKeyIdBytes) return BadToken("does not name the key that signed it");
  jwt.algorithm = *algorithm;
  jwt.key_id = *std::move(key_id);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Jwt> Jwt::Parse(std::string_view token) {
  if (token.size() > kMostTokenBytes) return BadToken("has more than 8 KiB");
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return BadToken("is no signed JWT of three parts");
  }
  const auto header = crypto::DecodeBase64Url(token.substr(0, first));
  if (!header.has_value()) return BadToken("has a header that is not base64url");
  Jwt jwt{.algorithm = SignatureAlgorithm::kRs256,
          .signed_part = token.substr(0, second),
          .claims = token.substr(first + 1, second - first - 1),
          .signature = token.substr(second + 1)};
  RETURN_IF_ERROR(ReadHeader(*header, jwt));
  return jwt;
}

}  // namespace lmbroker::identity
