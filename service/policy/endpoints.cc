#include "service/policy/endpoints.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "service/base/error.h"
#include "service/base/text.h"

namespace lmbroker::policy {
namespace {

// What a portal that ignores letter case may read: ASCII lower case, and the four letters outside ASCII that Java's
// String.equalsIgnoreCase takes for ASCII ones (ı and İ for i, ſ for s, the Kelvin sign for k).
std::string Fold(std::string_view segment) {
  constexpr std::array<std::pair<std::string_view, char>, 4> kFolded = {
      {{"\xC4\xB1", 'i'}, {"\xC4\xB0", 'i'}, {"\xC5\xBF", 's'}, {"\xE2\x84\xAA", 'k'}}};
  std::string out;
  while (!segment.empty()) {
    const auto* const found = std::find_if(kFolded.begin(), kFolded.end(),
                                           [&](const auto& letter) { return segment.starts_with(letter.first); });
    if (found != kFolded.end()) {
      out += found->second;
      segment.remove_prefix(found->first.size());
    } else {
      out += segment.front();
      segment.remove_prefix(1);
    }
  }
  return AsciiLower(out);
}

bool NamesTokens(std::string_view segment) { return Fold(segment).find("apitoken") != std::string::npos; }

// Whether the path is below /setting with a second segment that starts with `what`.
bool IsSetting(const http::CanonicalPath& path, std::string_view what) {
  const std::vector<std::string_view> segments = path.segments();
  return segments.size() >= 2 && Fold(segments[0]) == "setting" && Fold(segments[1]).starts_with(what);
}

bool IsUserEndpoint(const http::CanonicalPath& path) { return IsSetting(path, "admin"); }

}  // namespace

bool IsSecretEndpoint(const http::CanonicalPath& path) {
  const std::vector<std::string_view> segments = path.segments();
  return std::any_of(segments.begin(), segments.end(), NamesTokens);
}

bool IsAccountWrite(http::Method method, const http::CanonicalPath& path) {
  return method != http::Method::kGet && (IsUserEndpoint(path) || IsSetting(path, "role"));
}

absl::Status RefuseEmbeddedTokens(const http::CanonicalRequest& request) {
  const std::string_view body = request.signed_body();
  if (request.method() == http::Method::kGet || !IsUserEndpoint(request.path()) || body.empty()) {
    return absl::OkStatus();
  }
  using nlohmann::json;
  bool names_tokens = false;
  const auto look = [&](int /*depth*/, json::parse_event_t event, const json& parsed) {
    if (event == json::parse_event_t::key && NamesTokens(parsed.get_ref<const std::string&>())) names_tokens = true;
    return true;
  };
  const bool read = !json::parse(body, look, /*allow_exceptions=*/false).is_discarded();
  if (names_tokens) {
    return Refuse(Reason::kSecretEndpoint,
                  "The broker forwards no user object with apiTokens, for it would create or enable keys; leave the "
                  "field out.",
                  {.field = "body"});
  }
  if (!read) return FieldInvalid("body", "must be JSON in a write to users");
  return absl::OkStatus();
}

}  // namespace lmbroker::policy
