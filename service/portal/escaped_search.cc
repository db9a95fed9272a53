#include "service/portal/escaped_search.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "service/base/secret.h"
#include "service/portal/json_lexer.h"

namespace lmbroker::portal {
namespace {

// Two `\uXXXX` that are one character.
constexpr std::size_t kLongestEscape = 12;
constexpr std::size_t kNone = std::string_view::npos;

// Offsets are those of the whole text.
std::size_t FindBackslash(const Window& window, std::size_t begin, std::size_t end) {
  const std::string_view text = window.Sub(begin, end);
  const std::size_t at = text.find('\\');
  return at == kNone ? kNone : begin + at;
}

}  // namespace

// A form that has an escape has fewer bytes before its first and behind its last than the longest form has. So only the
// stretches around escapes are read.
void EscapedSearch::Search(const Window& window, std::vector<Span>& found) {
  const std::size_t longest = forms_.longest();
  const std::size_t end = window.end();
  std::size_t kept = end - std::min(end - kept_, longest);
  for (std::size_t escape = longest == 0 ? kNone : FindBackslash(window, kept_, end); escape != kNone;) {
    const std::size_t stretch_end = ReadStretch(window, escape);
    std::vector<Span> hits;
    forms_.Search({.text = plain_}, 0, hits);
    for (const Span& hit : hits) found.push_back({RawBegin(hit.begin), RawEnd(hit.end)});
    if (!hits.empty()) Wipe(plain_.data(), plain_.size());
    if (stretch_end == end) kept = std::min(kept, RawBegin(plain_.size() - std::min(plain_.size(), longest)));
    escape = FindBackslash(window, stretch_end, end);
  }
  kept_ = window.last ? end : kept;
}

// Undoes the escapes from `escape` on, as long as each is near the one before it. Gives the end of what was read: that
// of the window if more of it may follow.
std::size_t EscapedSearch::ReadStretch(const Window& window, std::size_t escape) {
  const std::size_t longest = forms_.longest();
  std::size_t at = escape - std::min(escape - kept_, longest);
  plain_.clear();
  parts_.assign(1, {.plain = 0, .raw = at});
  while (escape != kNone) {
    plain_ += window.Sub(at, escape);
    if (!window.last && window.end() - escape < kLongestEscape) return window.end();  // it may not be whole yet
    std::array<char, 4> undone{};
    char* out = undone.data();
    parts_.push_back({.plain = plain_.size(), .raw = escape, .escape = true});
    at = escape + UnescapeOne(window.Sub(escape, window.end()), out);
    plain_.append(undone.data(), out);
    parts_.push_back({.plain = plain_.size(), .raw = at});
    escape = FindBackslash(window, at, std::min(window.end(), at + longest));
  }
  const std::size_t end = std::min(window.end(), at + longest);
  plain_ += window.Sub(at, end);
  return end;
}

const EscapedSearch::Part& EscapedSearch::PartAt(std::size_t plain) const {
  const auto behind = std::upper_bound(parts_.begin(), parts_.end(), plain,
                                       [](std::size_t value, const Part& part) { return value < part.plain; });
  return *std::prev(behind);
}

std::size_t EscapedSearch::RawBegin(std::size_t plain) const {
  const Part& part = PartAt(plain);
  return part.escape ? part.raw : part.raw + (plain - part.plain);
}

std::size_t EscapedSearch::RawEnd(std::size_t plain) const {
  const Part& part = PartAt(plain - 1);
  return part.escape ? std::next(&part)->raw : part.raw + (plain - part.plain);
}

}  // namespace lmbroker::portal
