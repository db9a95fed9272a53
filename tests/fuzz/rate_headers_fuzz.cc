// What a portal says of its limits and its clock: any text gives numbers in their bounds, or nothing. Input: values of
// X-Rate-Limit-Limit, -Remaining, -Window, Retry-After and Date, and a path, FF between them.

#include "service/http/path.h"
#include "service/portal/endpoint.h"
#include "service/portal/rate_limit.h"
#include "service/portal/reply_headers.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {

LMBROKER_FUZZ_TARGET(input) {
  std::vector<std::string> parts = Split(input);
  parts.resize(6);
  const std::vector<http::NameValue> headers = {{"x-rate-limit-limit", parts[0]},
                                                {"X-Rate-Limit-Remaining", parts[1]},
                                                {"X-RATE-LIMIT-WINDOW", parts[2]},
                                                {"Retry-After", parts[3]},
                                                {"Date", parts[4]}};
  if (const auto limit = portal::ParseRateLimit(headers); limit.has_value()) {
    Require(limit->limit >= 0 && limit->remaining >= 0, "counts are counts");
    Require(limit->window >= absl::ZeroDuration() && limit->window < absl::InfiniteDuration(), "a window ends");
  }
  const absl::Duration wait = portal::RetryAfter(headers);
  Require(wait >= absl::Seconds(1) && wait <= absl::Minutes(5), "a wait is bounded");

  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  if (const auto skew = portal::ClockSkew(headers, now, now + absl::Seconds(1)); skew.has_value()) {
    Require(*skew > -absl::InfiniteDuration() && *skew < absl::InfiniteDuration(), "a skew is finite");
  }

  if (const auto path = http::CanonicalPath::Parse(parts[5]); path.ok()) {
    const std::string pattern = portal::EndpointPattern(path->decoded());
    const auto of_pattern = http::CanonicalPath::Parse(pattern);
    // `{id}` is longer than a one-digit number, so a very long path may grow too long.
    if (of_pattern.ok())
      Require(portal::EndpointPattern(of_pattern->decoded()) == pattern, "a pattern is its own pattern");
    Require(pattern.size() <= 4 * path->decoded().size(), "a pattern is bounded");
  }
}

}  // namespace lmbroker::fuzz
