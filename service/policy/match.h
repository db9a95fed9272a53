#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace lmbroker::policy {

// A pattern over the whole segments of a canonical path, exact and case-sensitive: `*` stands for one segment, `**` for
// one or more at the end. "/a/**" matches what is below "/a", not "/a" itself. A value.
class PathPattern {
 public:
  static constexpr std::string_view kOne = "*";

  // FIELD_INVALID or PATH_NOT_PLAIN for a pattern that no path could have, for `*` as a part of a segment, and for `**`
  // elsewhere than at the end.
  static absl::StatusOr<PathPattern> Parse(std::string_view text);

  // Whether the segments of a path match, all of them.
  bool Matches(std::span<const std::string_view> segments) const;

  const std::string& text() const { return text_; }
  // The segments as they are written, `*` among them, without the final `**`.
  const std::vector<std::string>& segments() const { return segments_; }
  // Whether it ends with `**`.
  bool any_rest() const { return any_rest_; }

 private:
  PathPattern() = default;

  std::string text_;
  std::vector<std::string> segments_;  // without the final `**`
  bool any_rest_ = false;
};

}  // namespace lmbroker::policy
