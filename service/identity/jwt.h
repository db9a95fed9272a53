#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/identity/public_key.h"

namespace lmbroker::identity {

// The longest token that is looked at.
inline constexpr std::size_t kMostTokenBytes = std::size_t{8} << 10;

// A signed JSON Web Token in its compact form (RFC 7515, section 7.1), taken apart and not yet believed. Its views are
// into the token.
struct Jwt {
  SignatureAlgorithm algorithm;
  std::string key_id;
  std::string_view signed_part;  // header and claims, as they were signed
  std::string_view claims;       // base64url
  std::string_view signature;    // base64url

  // BAD_TOKEN unless the token has three parts and a header that names RS256 or ES256 and a key, and asks for nothing
  // that must be understood (`crit`).
  static absl::StatusOr<Jwt> Parse(std::string_view token);
};

}  // namespace lmbroker::identity
