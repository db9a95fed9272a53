#include "service/http/path.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/text.h"
#include "service/http/percent.h"

namespace lmbroker::http {
namespace {

constexpr std::size_t kMostBytes = 2 << 10;

// The parts of `path` behind each slash. `path` starts with one.
std::vector<std::string_view> SplitSegments(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return segments;
}

// U+0080 to U+009F, in text that is UTF-8.
bool HasC1Control(std::string_view text) {
  for (std::size_t at = text.find('\xC2'); at != std::string_view::npos; at = text.find('\xC2', at + 1)) {
    if (static_cast<unsigned char>(text[at + 1]) < 0xA0) return true;
  }
  return false;
}

// What is wrong with `path`, as the end of "The path …"; empty when nothing is.
std::string_view Problem(std::string_view path) {
  if (path.empty() || path.front() != '/') return "must start with a slash";
  if (path.size() > kMostBytes) return "has more than 2048 bytes";
  if (!IsUtf8(path)) return "is not UTF-8";
  if (HasControl(path) || HasC1Control(path)) return "has a control character";
  if (path.find_first_of("%?#;\\") != std::string_view::npos) {
    return "may not hold %, ?, #, ; or \\; write it decoded, and its query in `query`";
  }
  for (const std::string_view segment : SplitSegments(path)) {
    if (segment.empty()) return "has an empty segment (// or a trailing slash)";
    if (segment == "." || segment == "..") return "has a segment . or ..";
  }
  return "";
}

}  // namespace

absl::StatusOr<CanonicalPath> CanonicalPath::Parse(std::string_view literal) {
  if (const std::string_view problem = Problem(literal); !problem.empty()) {
    return Refuse(Reason::kPathNotPlain, fmt::format("The path {} {}.", Excerpt(literal), problem), {.field = "path"});
  }
  CanonicalPath path;
  path.decoded_ = literal;
  AppendPercentEncoded(path.encoded_, literal, "/");
  return path;
}

std::vector<std::string_view> CanonicalPath::segments() const { return SplitSegments(decoded_); }

}  // namespace lmbroker::http
