#include "service/http/headers.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"

namespace lmbroker::http {
namespace {

constexpr std::size_t kMostHeaders = 32;
constexpr std::size_t kMostValueBytes = 8 << 10;

constexpr std::array<std::string_view, 10> kRequestHeaders = {
    "Accept",        "Accept-Language",   "Content-Type", "Content-Encoding", "If-Match",
    "If-None-Match", "If-Modified-Since", "X-Request-Id", "traceparent",      "tracestate"};

constexpr std::array<std::string_view, 11> kReplyHeaders = {"Content-Type",
                                                            "Content-Language",
                                                            "Date",
                                                            "ETag",
                                                            "Last-Modified",
                                                            "Retry-After",
                                                            "X-Rate-Limit-Limit",
                                                            "X-Rate-Limit-Remaining",
                                                            "X-Rate-Limit-Window",
                                                            "X-Request-Id",
                                                            "x-server-version"};

constexpr std::string_view kRateLimitPrefix = "X-Rate-Limit-";

// The spelling of `name` in `list`, nothing when it is not there.
std::optional<std::string_view> CanonicalName(std::span<const std::string_view> list, std::string_view name) {
  const auto found = std::find_if(list.begin(), list.end(), [&](auto each) { return EqualsIgnoreCase(each, name); });
  if (found == list.end()) return std::nullopt;
  return *found;
}

bool IsVisibleAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

absl::Status CheckValue(std::string_view name, std::string_view value, std::string_view field) {
  if (value.empty()) return FieldInvalid(field, "must not be empty; leave the header out instead");
  if (value.size() > kMostValueBytes)
    return FieldInvalid(field, fmt::format("has more than {} bytes", kMostValueBytes));
  if (!IsVisibleAscii(value)) return FieldInvalid(field, "may hold only visible ASCII characters and blanks");
  if (value.front() == ' ' || value.back() == ' ') return FieldInvalid(field, "must not start or end with a blank");
  if (name == "Content-Encoding" && !EqualsIgnoreCase(value, "gzip") && !EqualsIgnoreCase(value, "deflate")) {
    return FieldInvalid(field, fmt::format("must be gzip or deflate, not {}", Excerpt(value)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RequestHeaders> RequestHeaders::Make(std::vector<NameValue> headers) {
  if (headers.size() > kMostHeaders) return FieldInvalid("headers", fmt::format("has more than {}", kMostHeaders));
  RequestHeaders made;
  made.headers_.reserve(headers.size());
  for (std::size_t i = 0; i < headers.size(); ++i) {
    NameValue& header = headers[i];
    const auto name = CanonicalName(kRequestHeaders, header.name);
    const std::string name_field = fmt::format("headers[{}].name", i);
    if (!name.has_value()) {
      return Refuse(Reason::kHeaderNotAllowed,
                    fmt::format("The broker passes no header {} on; leave it out.", Excerpt(header.name)),
                    {.field = name_field});
    }
    if (made.Find(*name).has_value()) return FieldInvalid(name_field, fmt::format("repeats the header {}", *name));
    RETURN_IF_ERROR(CheckValue(*name, header.value, fmt::format("headers[{}].value", i)));
    made.headers_.push_back({std::string(*name), std::move(header.value)});
  }
  return made;
}

std::optional<std::string_view> RequestHeaders::Find(std::string_view name) const {
  for (const NameValue& header : headers_) {
    if (header.name == name) return header.value;
  }
  return std::nullopt;
}

std::vector<NameValue> PassedReplyHeaders(const std::vector<NameValue>& received) {
  std::vector<NameValue> passed;
  for (const NameValue& header : received) {
    if (!IsVisibleAscii(header.value)) continue;
    if (const auto name = CanonicalName(kReplyHeaders, header.name); name.has_value()) {
      passed.push_back({std::string(*name), header.value});
    } else if (EqualsIgnoreCase(std::string_view(header.name).substr(0, kRateLimitPrefix.size()), kRateLimitPrefix)) {
      passed.push_back(header);
    }
  }
  return passed;
}

}  // namespace lmbroker::http
