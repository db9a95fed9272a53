#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "service/portal/span.h"

namespace lmbroker::portal {

// Cuts JSON text (RFC 8259) into its punctuation and strings and skips all else. It judges nothing: text that is not
// JSON gives some tokens as well, which is what a filter for secrets needs. Linear in the text, no allocation. A text
// may come in pieces; how it is cut changes no token. What it reads must outlive it, or the next Read.
class JsonLexer {
 public:
  JsonLexer() = default;
  explicit JsonLexer(std::string_view text) { Read({.text = text}); }

  // Goes on with `window`, which begins at at() or before.
  void Read(const Window& window) { window_ = window; }

  // The next of `{ } [ ] : ,`, or `"` for a string, or `!` for one that a raw control character breaks: no string of
  // JSON has one, so the quote was no string's start, and reading goes on behind it. 0 at the end of the window.
  char Next();
  // The start of what is not read yet.
  std::size_t at() const { return at_; }

  // After `"` and `!`: what stands behind the quote, with its escapes, as far as the window still has it. A string
  // that the end of the text cuts off counts.
  std::string_view string() const { return window_.Sub(string_.begin, string_.end); }
  Span string_span() const { return string_; }
  // After 0: whether the window ends within a string. The span then ends at at(), between escapes.
  bool in_string() const { return in_string_; }
  // Of the same string: whether it has a backslash.
  bool escaped() const { return escaped_; }

 private:
  char ReadString();

  Window window_;
  std::size_t at_ = 0;
  bool in_string_ = false;
  Span string_;
  bool escaped_ = false;
};

// Undoes one escape, or takes one plain byte, at the start of a JSON string's inside `raw`, which is not empty. An
// escape that is none is plain. Moves `out` behind what it wrote, which is never longer than what it took; gives that
// one's length.
std::size_t UnescapeOne(std::string_view raw, char*& out);

// Undoes all escapes of a JSON string's inside. Writes to `out` (of at least raw.size() bytes) and gives the length, so
// that secrets need not pass through a std::string.
std::size_t Unescape(std::string_view raw, char* out);

// The same for what is no secret.
std::string Unescaped(std::string_view raw);

}  // namespace lmbroker::portal
