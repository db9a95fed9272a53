#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lmbroker::portal {

// Cuts JSON text (RFC 8259) into its punctuation and strings and skips all else. It judges nothing: text that is not
// JSON gives some tokens as well, which is what a filter for secrets needs. Linear in the text, no allocation; the
// text must outlive it.
class JsonLexer {
 public:
  explicit JsonLexer(std::string_view text) : text_(text) {}

  // The next of `{ } [ ] : ,`, or `"` for a string; 0 at the end.
  char Next();

  // After `"`: what stands between the quotes, with its escapes. A string that the end of the text cuts off counts.
  std::string_view string() const { return text_.substr(start_, end_ - start_); }
  std::size_t string_offset() const { return start_; }

 private:
  bool ReadString();

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;
  std::size_t end_ = 0;
};

// Undoes the escapes of a JSON string's inside. Never longer than `raw`; an escape that is none stays as it is.
// Writes to `out` (of at least raw.size() bytes) and gives the length, so that secrets need not pass through a
// std::string.
std::size_t Unescape(std::string_view raw, char* out);

// The same for what is no secret.
std::string Unescaped(std::string_view raw);

}  // namespace lmbroker::portal
