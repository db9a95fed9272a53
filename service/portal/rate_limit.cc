#include "service/portal/rate_limit.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

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

bool IsNumber(std::string_view segment) {
  return std::all_of(segment.begin(), segment.end(), [](char c) { return c >= '0' && c <= '9'; });
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
  if (!seconds.has_value()) seconds = Count(headers, "X-Rate-Limit-Window");
  return std::clamp(absl::Seconds(seconds.value_or(60)), kLeastWait, kMostWait);
}

std::string EndpointPattern(const http::CanonicalPath& path) {
  std::string pattern;
  for (const std::string_view segment : path.segments()) {
    pattern += '/';
    pattern += IsNumber(segment) ? "{id}" : segment;
  }
  return pattern;
}

std::optional<RateLimit> BudgetTable::Learn(const PortalName& portal, const http::CanonicalRequest& request,
                                            const std::vector<http::NameValue>& reply_headers) {
  const auto budget = ParseRateLimit(reply_headers);
  if (!budget.has_value()) return std::nullopt;
  Key key(portal, request.api(), EndpointPattern(request.path()), request.method());
  const MutexLock lock(mutex_);
  if (const auto known = rows_.find(key); known != rows_.end()) {
    known->second.budget = *budget;
    oldest_first_.splice(oldest_first_.end(), oldest_first_, known->second.age);
    return budget;
  }
  if (rows_.size() >= most_rows_) {
    rows_.erase(oldest_first_.front());
    oldest_first_.pop_front();
  }
  oldest_first_.push_back(key);
  rows_.emplace(std::move(key), Known{.budget = *budget, .age = std::prev(oldest_first_.end())});
  return budget;
}

std::vector<BudgetTable::Row> BudgetTable::Of(const PortalName& portal) const {
  std::vector<Row> found;
  const MutexLock lock(mutex_);
  for (const auto& [key, known] : rows_) {
    const auto& [of, api, pattern, method] = key;
    if (of == portal) found.push_back({.api = api, .pattern = pattern, .method = method, .budget = known.budget});
  }
  return found;
}

}  // namespace lmbroker::portal
