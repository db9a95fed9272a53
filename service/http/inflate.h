#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace lmbroker::http {

// The body before its Content-Encoding, which is "gzip" (RFC 1952, one member) or "deflate" (RFC 1950) in any letter
// case. FIELD_INVALID on `body` when it is not exactly one whole stream of that format; BODY_TOO_LARGE when it inflates
// to more than `most_bytes`, without ever holding more than that.
absl::StatusOr<std::string> Inflate(std::string_view body, std::string_view encoding, std::size_t most_bytes);

}  // namespace lmbroker::http
