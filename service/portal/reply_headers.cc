#include "service/portal/reply_headers.h"

#include <string>

#include "service/base/text.h"

namespace lmbroker::portal {

std::optional<std::string_view> FindHeader(const std::vector<http::NameValue>& headers, std::string_view name) {
  for (const http::NameValue& header : headers) {
    if (EqualsIgnoreCase(header.name, name)) return header.value;
  }
  return std::nullopt;
}

std::optional<absl::Duration> ClockSkew(const std::vector<http::NameValue>& headers, absl::Time sent,
                                        absl::Time received) {
  const auto date = FindHeader(headers, "Date");
  if (!date.has_value() || FindHeader(headers, "Age").has_value()) return std::nullopt;
  absl::Time portal_time;
  std::string problem;
  if (!absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", ToAbsl(*date), &portal_time, &problem)) return std::nullopt;
  if (portal_time == absl::InfiniteFuture() || portal_time == absl::InfinitePast())
    return std::nullopt;  // Abseil's words
  // The header names the second that the clock was in, so its middle is the best guess.
  return portal_time + absl::Milliseconds(500) - (sent + (received - sent) / 2);
}

}  // namespace lmbroker::portal
