#include "service/portal/field_search.h"

#include <algorithm>

#include "service/portal/key_names.h"

namespace lmbroker::portal {
namespace {

constexpr std::size_t kDeepest = 256;
constexpr std::size_t kLongestName = std::size_t{1} << 10;
constexpr std::size_t kMostKept = std::size_t{64} << 10;

}  // namespace

bool FieldSearch::Search(const Window& window, std::vector<Span>& found) {
  window_ = window;
  lexer_.Read(window);
  for (char token = lexer_.Next(); token != 0; token = lexer_.Next()) {
    Take(token, found);
    if (levels_.size() > kDeepest + 1) return false;
  }
  if (lexer_.in_string()) TakePart(found);
  SettleLate(found);
  if (window.last) {
    for (Level& level : levels_) Settle(level, found, false);
  }
  kept_ = FirstNeeded();
  return true;
}

void FieldSearch::Take(char token, std::vector<Span>& found) {
  Level& level = levels_.back();
  switch (token) {
    case '{':
      levels_.push_back({});
      return;
    case '[':
      levels_.push_back({.is_array = true, .at_value = true, .key_like = level.at_value && level.key_like});
      return;
    case '}':
    case ']':
      if (levels_.size() == 1) return;
      Settle(level, found, IsLate(level));
      levels_.pop_back();
      return;
    case ':':
      level.at_value = true;
      return;
    case ',':
      level.at_value = level.is_array;
      return;
    default:
      break;
  }
  if (level.at_value) {
    TakeValue(level, lexer_.string_span(), found);
  } else if (token == '"') {
    TakeName(level, lexer_.string_span());
  }
}

void FieldSearch::TakeName(Level& level, Span name) {
  level.key_like = NamesKey(name);
  level.member = Member::kOther;
  if (name.end - name.begin > kLongestName) return;
  std::string unescaped;
  std::string_view text = lexer_.string();
  if (lexer_.escaped()) text = unescaped = Unescaped(text);
  if (text == "name") level.member = Member::kName;
  if (text == "value") level.member = Member::kValue;
}

void FieldSearch::TakeValue(Level& level, Span value, std::vector<Span>& found) {
  if (level.key_like) return HideOn(value, found);
  if (level.is_array) return;
  if (level.member == Member::kName) {
    if (IsLate(level)) Settle(level, found, true);
    level.named = true;
    level.named_key_like = level.named_key_like || NamesKey(value);
  }
  if (level.member == Member::kValue) {
    Settle(level, found, true);  // nobody writes two, so the first is not trusted
    if (value.end - value.begin <= kMostKept) {
      level.value = value;
    } else if (level.named_key_like || !level.named) {
      HideOn(value, found);
    }
  }
}

// What can be said of a string before its end has come.
void FieldSearch::TakePart(std::vector<Span>& found) {
  const Level& level = levels_.back();
  const Span part = lexer_.string_span();
  if (level.at_value && level.key_like) return HideOn(part, found);
  const bool too_long = part.end - part.begin > kMostKept;
  if (level.at_value && level.member == Member::kValue && too_long && (level.named_key_like || !level.named)) {
    HideOn(part, found);
  }
}

void FieldSearch::SettleLate(std::vector<Span>& found) {
  for (Level& level : levels_) {
    if (IsLate(level)) Settle(level, found, true);
  }
}

bool FieldSearch::IsLate(const Level& level) const {
  return level.value.has_value() && lexer_.at() - level.value->begin > kMostKept;
}

// Decides on the `value` that waits for its object's name; `doubtful` if there might be a name that nobody waited for.
void FieldSearch::Settle(Level& level, std::vector<Span>& found, bool doubtful) const {
  if (!level.value.has_value()) return;
  if (level.named_key_like || (doubtful && !level.named)) Hide(*level.value, found);
  level.value.reset();
}

void FieldSearch::Hide(Span value, std::vector<Span>& found) const {
  if (window_.Sub(value.begin, value.end).find_first_not_of('*') != std::string_view::npos) found.push_back(value);
}

// Hides what has come of a value that may go on.
void FieldSearch::HideOn(Span value, std::vector<Span>& found) {
  const std::size_t from = std::max(hidden_to_, value.begin);
  const bool started = from > value.begin || value.end - value.begin > kMostKept;
  if (!started && window_.Sub(from, value.end).find_first_not_of('*') == std::string_view::npos) return;
  if (value.end > from) found.push_back({from, value.end});
  hidden_to_ = value.end;
}

bool FieldSearch::NamesKey(Span name) const {
  if (name.end - name.begin > kLongestName) return true;
  const std::string_view text = window_.Sub(name.begin, name.end);
  return lexer_.escaped() ? IsKeyLike(Unescaped(text)) : IsKeyLike(text);
}

std::size_t FieldSearch::FirstNeeded() const {
  std::size_t first = lexer_.at();
  for (const Level& level : levels_) {
    if (level.value.has_value()) first = std::min(first, level.value->begin);
  }
  if (!lexer_.in_string()) return first;
  const Level& level = levels_.back();
  const Span string = lexer_.string_span();
  const std::size_t size = string.end - string.begin;
  if (level.at_value && level.key_like) return hidden_to_ > string.begin ? first : std::min(first, string.begin);
  const bool is_value = level.at_value && level.member == Member::kValue;
  if (size <= (is_value ? kMostKept : kLongestName)) first = std::min(first, string.begin);
  return first;
}

}  // namespace lmbroker::portal
