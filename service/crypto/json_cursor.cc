#include "service/crypto/json_cursor.h"

#include <charconv>
#include <system_error>

namespace lmbroker::crypto {

void JsonCursor::SkipSpace() { position_ = std::min(text_.find_first_not_of(" \t\r\n", position_), text_.size()); }

bool JsonCursor::Take(char punctuation) {
  SkipSpace();
  if (position_ == text_.size() || text_[position_] != punctuation) return false;
  ++position_;
  return true;
}

bool JsonCursor::AtEnd() {
  SkipSpace();
  return position_ == text_.size();
}

bool JsonCursor::String(std::string_view& value) {
  if (!Take('"')) return false;
  const std::size_t begin = position_;
  for (; position_ < text_.size(); ++position_) {
    const char c = text_[position_];
    if (c == '"') {
      value = text_.substr(begin, position_++ - begin);
      return true;
    }
    if (c < ' ' || c > '~' || c == '\\') return false;
  }
  return false;
}

// Between the quotation marks only the escape of one matters here.
bool JsonCursor::SkipString() {
  if (!Take('"')) return false;
  for (; position_ < text_.size(); ++position_) {
    if (text_[position_] == '\\') {
      ++position_;
    } else if (text_[position_] == '"') {
      ++position_;
      return true;
    }
  }
  position_ = text_.size();  // an escape may have led beyond
  return false;
}

// Counts brackets instead of calling itself, so that no text is too deep.
bool JsonCursor::Skip() {
  int depth = 0;
  do {
    SkipSpace();
    if (position_ == text_.size()) return false;
    const char c = text_[position_];
    if (c == '"') {
      if (!SkipString()) return false;
    } else if (c == '{' || c == '[') {
      ++depth;
      ++position_;
    } else if (c == '}' || c == ']') {
      if (--depth < 0) return false;
      ++position_;
    } else if (c == ',' || c == ':') {
      if (depth == 0) return false;
      ++position_;
    } else {
      const std::size_t end = text_.find_first_of(" \t\r\n,:{}[]\"", position_);
      position_ = std::min(end, text_.size());
    }
  } while (depth > 0);
  return true;
}

bool JsonCursor::Integer(std::uint32_t& value) {
  SkipSpace();
  const char* const begin = text_.data() + position_;
  const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
  if (error != std::errc{} || (*begin == '0' && end - begin > 1)) return false;
  position_ += static_cast<std::size_t>(end - begin);
  return true;
}

}  // namespace lmbroker::crypto
