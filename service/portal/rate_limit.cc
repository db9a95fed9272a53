#include "service/portal/rate_limit.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "service/portal/reply_headers.h"

namespace lmbroker::portal {
namespace {

constexpr absl::Duration kLeastWait = absl::Seconds(1);
constexpr absl::Duration kMostWait = absl::Minutes(5);

std::optional<int> Count(const std::vector<http::NameValue>& headers, std::string_view name) {
  const auto text = FindHeader(headers, name);
  int value = 0;
  if (!text.has_value()) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

std::optional<RateLimit> ParseRateLimit(const std::vector<http::NameValue>& headers) {
  const auto limit = Count(headers, "X-Rate-Limit-Limit");
  const auto remaining = Count(headers, "X-Rate-Limit-Remaining");
  const auto window = Count(headers, "X-Rate-Limit-Window");
  if (!limit.has_value() || !remaining.has_value() || !window.has_value()) return std::nullopt;
  return RateLimit{.limit = *limit, .remaining = *remaining, .window = absl::Seconds(*window)};
}

absl::Duration RetryAfter(const std::vector<http::NameValue>& headers) {
  auto seconds = Count(headers, "Retry-After");
  if (!seconds.has_value() && Count(headers, "X-Rate-Limit-Remaining").value_or(0) > 0) return kLeastWait;
  if (!seconds.has_value()) seconds = Count(headers, "X-Rate-Limit-Window");
  return std::clamp(absl::Seconds(seconds.value_or(60)), kLeastWait, kMostWait);
}

int DefaultLimit(http::Method method) {
  switch (method) {
    case http::Method::kGet:
      return 500;
    case http::Method::kPost:
    case http::Method::kPut:
      return 200;
    case http::Method::kPatch:
      return 250;
    case http::Method::kDelete:
      return 300;
  }
  return 200;
}

}  // namespace lmbroker::portal
