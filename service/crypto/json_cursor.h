#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lmbroker::crypto {

// Reads JSON (RFC 8259) in place. A general parser leaves copies of the keys it reads in memory that nobody wipes; this
// one hands out views into the caller's buffer. It knows only what the key ring file needs, and is strict: objects with
// distinct field names, arrays, strings of printable ASCII without escapes, whole numbers below 2^32 without sign.
// Every reader returns false, and has moved to an unspecified place, when the text is anything else.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : text_(text) {}

  // Reads an object. Calls `read_field(name)` for each field, which must read the value with this cursor and say
  // whether it could.
  template <class ReadField>
  bool Object(ReadField read_field);
  // Reads an array. Calls `read_element()` for each element likewise.
  template <class ReadElement>
  bool Array(ReadElement read_element);
  bool String(std::string_view& value);
  bool Integer(std::uint32_t& value);
  // Reads past any value, of which nothing is wanted; here strings may have escapes and UTF-8, and numbers any form.
  bool Skip();
  // Whether only white space is left.
  bool AtEnd();

  // Bytes read so far, to say where the text went wrong.
  std::size_t position() const { return position_; }

 private:
  void SkipSpace();
  bool SkipString();
  // Reads `punctuation` if it comes next.
  bool Take(char punctuation);

  std::string_view text_;
  std::size_t position_ = 0;
};

template <class ReadField>
bool JsonCursor::Object(ReadField read_field) {
  if (!Take('{')) return false;
  if (Take('}')) return true;
  std::vector<std::string_view> seen;
  do {
    std::string_view name;
    if (!String(name) || std::find(seen.begin(), seen.end(), name) != seen.end()) return false;
    seen.push_back(name);
    if (!Take(':') || !read_field(name)) return false;
  } while (Take(','));
  return Take('}');
}

template <class ReadElement>
bool JsonCursor::Array(ReadElement read_element) {
  if (!Take('[')) return false;
  if (Take(']')) return true;
  do {
    if (!read_element()) return false;
  } while (Take(','));
  return Take(']');
}

}  // namespace lmbroker::crypto
