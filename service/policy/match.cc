#include "service/policy/match.h"

#include <cstddef>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/http/path.h"

namespace lmbroker::policy {
namespace {

constexpr std::string_view kRest = "**";

absl::Status BadPattern(std::string_view text, std::string_view problem) {
  return Refuse(Reason::kFieldInvalid, fmt::format("The pattern {} {}.", Excerpt(text), problem), {.field = "paths"});
}

}  // namespace

absl::StatusOr<PathPattern> PathPattern::Parse(std::string_view text) {
  // What is no plain path could never match one.
  ASSIGN_OR_RETURN(const http::CanonicalPath path, http::CanonicalPath::Parse(text));
  PathPattern pattern;
  pattern.text_ = text;
  for (const std::string_view segment : path.segments()) {
    if (pattern.any_rest_) return BadPattern(text, "has ** before its end");
    if (segment == kRest) {
      pattern.any_rest_ = true;
    } else if (segment != kOne && segment.find('*') != std::string_view::npos) {
      return BadPattern(text, "has * as a part of a segment");
    } else {
      pattern.segments_.emplace_back(segment);
    }
  }
  return pattern;
}

bool PathPattern::Matches(std::span<const std::string_view> segments) const {
  const bool length_fits = any_rest_ ? segments.size() > segments_.size() : segments.size() == segments_.size();
  if (!length_fits) return false;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i] != kOne && segments_[i] != segments[i]) return false;
  }
  return true;
}

}  // namespace lmbroker::policy
