#include "service/policy/ttl.h"

#include <fmt/format.h>

#include "service/base/error.h"

namespace lmbroker::policy {

absl::Status CheckTtl(absl::Duration ttl, std::string_view field) {
  if (ttl >= kShortestTtl && ttl <= kLongestTtl) return absl::OkStatus();
  return FieldInvalid(
      field, fmt::format("must be {} to {}", absl::FormatDuration(kShortestTtl), absl::FormatDuration(kLongestTtl)));
}

}  // namespace lmbroker::policy
