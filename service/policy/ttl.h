#pragma once

#include <string_view>

#include <absl/status/status.h>
#include <absl/time/time.h>

namespace lmbroker::policy {

// The life that may be asked for when a token is created. Shorter ones would be over before the create is; longer ones
// are no leases any more.
inline constexpr absl::Duration kShortestTtl = absl::Seconds(1);
inline constexpr absl::Duration kLongestTtl = absl::Hours(87600);  // ten years

// FIELD_INVALID on `field` for any other.
absl::Status CheckTtl(absl::Duration ttl, std::string_view field);

}  // namespace lmbroker::policy
