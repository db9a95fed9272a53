#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <absl/time/time.h>

#include "service/http/headers.h"

namespace lmbroker::portal {

// The value of the first header of that name, in any letter case. Lives as long as `headers`.
std::optional<std::string_view> FindHeader(const std::vector<http::NameValue>& headers, std::string_view name);

// The portal's clock minus ours, from the `Date` of a reply: against the middle of the exchange, since nobody knows
// when in between the portal looked. Good to about a second, the grain of the header (RFC 9110, section 5.6.7). Nothing
// without a good `Date`, or when the reply has an `Age`, so that it comes from a cache.
std::optional<absl::Duration> ClockSkew(const std::vector<http::NameValue>& headers, absl::Time sent,
                                        absl::Time received);

}  // namespace lmbroker::portal
