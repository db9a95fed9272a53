// An accepted path has one reading: what is on the wire decodes to what was judged.

#include <algorithm>

#include "service/http/path.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {

LMBROKER_FUZZ_TARGET(input) {
  const auto path = http::CanonicalPath::Parse(input);
  if (!path.ok()) {
    RequireRefusal(path.status(), Reason::kPathNotPlain);
    return;
  }
  Require(path->decoded() == input, "the path is what the caller wrote");
  Require(Decoded(path->encoded(), "/") == input, "the wire form decodes to the path");
  Require(input.size() <= 2048, "the path is bounded");
  Require(input.find_first_of("%?#;\\") == std::string_view::npos, "no character has a second meaning");
  Require(std::none_of(input.begin(), input.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; }),
          "no character is a control");
  std::string joined;
  for (const std::string_view segment : path->segments()) {
    Require(!segment.empty() && segment != "." && segment != "..", "every segment is a name");
    joined.append("/").append(segment);
  }
  Require(joined == input, "the segments are the path");
}

}  // namespace lmbroker::fuzz
