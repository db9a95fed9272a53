#pragma once

// What LM says about its rate limits (logicmonitor-api, section 8): per endpoint pattern and method, for the whole
// account, with the state in three headers of every reply.

#include <optional>
#include <vector>

#include <absl/time/time.h>

#include "service/http/headers.h"
#include "service/http/method.h"

namespace lmbroker::portal {

// Requests per window.
struct RateLimit {
  int limit = 0;
  int remaining = 0;
  absl::Duration window;
};

// From X-Rate-Limit-Limit, -Remaining and -Window; nothing unless all three are there and are whole numbers.
std::optional<RateLimit> ParseRateLimit(const std::vector<http::NameValue>& headers);

// How long to wait after a 429: Retry-After in seconds; else a second when something remains, so that it was not this
// limit; else the window, else a minute. 1 s to 5 min.
absl::Duration RetryAfter(const std::vector<http::NameValue>& headers);

// What LM allows while it has not said (section 8): so many requests a minute with `method`.
int DefaultLimit(http::Method method);

}  // namespace lmbroker::portal
