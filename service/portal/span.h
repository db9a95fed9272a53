#pragma once

#include <cstddef>
#include <string_view>

namespace lmbroker::portal {

// The bytes from `begin` up to but not including `end`, counted from the start of a text.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

// A part of a text that comes piece by piece.
struct Window {
  std::string_view text;
  std::size_t offset = 0;  // of its first byte in the whole text
  bool last = true;        // nothing follows it

  std::size_t end() const { return offset + text.size(); }
  std::string_view Sub(std::size_t begin, std::size_t end) const { return text.substr(begin - offset, end - begin); }
};

}  // namespace lmbroker::portal
