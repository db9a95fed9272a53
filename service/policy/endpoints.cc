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

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

char LowerOf(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

enum class Where { kAnywhere, kStart, kWhole };

bool Has(std::string_view lower, std::string_view what, Where where) {
  switch (where) {
    case Where::kAnywhere:
      return lower.find(what) != std::string_view::npos;
    case Where::kStart:
      return lower.starts_with(what);
    case Where::kWhole:
      return lower == what;
  }
  return false;
}

// Whether the lower-case `what` is in the segment, however that is written. Most segments are ASCII and need no copy,
// which counts: this runs for every call.
bool Names(std::string_view segment, std::string_view what, Where where) {
  if (!IsAscii(segment)) return Has(Fold(segment), what, where);
  if (segment.size() < what.size() || (where == Where::kWhole && segment.size() > what.size())) return false;
  const auto same = [](char a, char b) { return LowerOf(a) == b; };
  const std::string_view in = where == Where::kAnywhere ? segment : segment.substr(0, what.size());
  return std::search(in.begin(), in.end(), what.begin(), what.end(), same) != in.end();
}

bool NamesTokens(std::string_view segment) { return Names(segment, "apitoken", Where::kAnywhere); }

// Whether the path is below /setting with a second segment that starts with `what`.
bool IsSetting(Segments path, std::string_view what) {
  return path.size() >= 2 && Names(path[0], "setting", Where::kWhole) && Names(path[1], what, Where::kStart);
}

bool IsUserEndpoint(Segments path) { return IsSetting(path, "admin"); }

}  // namespace

bool IsSecretEndpoint(Segments path) { return std::any_of(path.begin(), path.end(), NamesTokens); }

bool IsAccountWrite(http::Method method, Segments path) {
  return method != http::Method::kGet && (IsUserEndpoint(path) || IsSetting(path, "role"));
}

absl::Status RefuseEmbeddedTokens(const http::CanonicalRequest& request) {
  const std::string_view body = request.signed_body();
  if (request.method() == http::Method::kGet || !IsUserEndpoint(request.path().segments()) || body.empty()) {
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
