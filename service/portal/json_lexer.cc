#include "service/portal/json_lexer.h"

#include <cstdint>
#include <optional>

namespace lmbroker::portal {
namespace {

std::optional<std::uint32_t> Hex4(std::string_view digits) {
  if (digits.size() < 4) return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : digits.substr(0, 4)) {
    value <<= 4;
    if (c >= '0' && c <= '9') {
      value += static_cast<std::uint32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value += static_cast<std::uint32_t>(c - 'a' + 10);
    } else if (c >= 'A' && c <= 'F') {
      value += static_cast<std::uint32_t>(c - 'A' + 10);
    } else {
      return std::nullopt;
    }
  }
  return value;
}

std::size_t PutUtf8(std::uint32_t code, char* out) {
  const auto tail = [code](int shift) { return static_cast<char>(0x80U | ((code >> shift) & 0x3FU)); };
  if (code < 0x80) {
    out[0] = static_cast<char>(code);
    return 1;
  }
  if (code < 0x800) {
    out[0] = static_cast<char>(0xC0U | (code >> 6));
    out[1] = tail(0);
    return 2;
  }
  if (code < 0x10000) {
    out[0] = static_cast<char>(0xE0U | (code >> 12));
    out[1] = tail(6);
    out[2] = tail(0);
    return 3;
  }
  out[0] = static_cast<char>(0xF0U | (code >> 18));
  out[1] = tail(12);
  out[2] = tail(6);
  out[3] = tail(0);
  return 4;
}

// One `\uXXXX`, or a surrogate pair of two, at the start of `raw`. Gives how much of `raw` it took; 0 if it is none.
std::size_t TakeUnicode(std::string_view raw, char*& out) {
  const auto first = Hex4(raw.substr(2));
  if (!first.has_value()) return 0;
  const bool high = *first >= 0xD800 && *first <= 0xDBFF;
  if (high && raw.substr(6, 2) == "\\u") {
    const auto second = Hex4(raw.substr(8));
    if (second.has_value() && *second >= 0xDC00 && *second <= 0xDFFF) {
      out += PutUtf8(0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00), out);
      return 12;
    }
  }
  const bool alone = *first >= 0xD800 && *first <= 0xDFFF;
  out += PutUtf8(alone ? 0xFFFD : *first, out);
  return 6;
}

std::optional<char> Simple(char escaped) {
  switch (escaped) {
    case '"':
    case '\\':
    case '/':
      return escaped;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return std::nullopt;
  }
}

}  // namespace

char JsonLexer::Next() {
  while (at_ < text_.size()) {
    const char c = text_[at_++];
    switch (c) {
      case '{':
      case '}':
      case '[':
      case ']':
      case ':':
      case ',':
        return c;
      case '"':
        if (ReadString()) return c;
        break;
      default:
        break;
    }
  }
  return 0;
}

// No string of JSON has a raw control character. So at one the quote was no string's start: reading goes on behind it
// and falls into step again with the next line, however broken this one is.
bool JsonLexer::ReadString() {
  start_ = at_;
  while (at_ < text_.size()) {
    const char c = text_[at_++];
    if (c == '"') {
      end_ = at_ - 1;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) return false;
    if (c == '\\' && at_ < text_.size()) ++at_;
  }
  end_ = text_.size();
  return true;
}

std::size_t Unescape(std::string_view raw, char* out) {
  char* const begin = out;
  while (!raw.empty()) {
    if (raw[0] == '\\' && raw.size() > 1) {
      if (const auto simple = Simple(raw[1]); simple.has_value()) {
        *out++ = *simple;
        raw.remove_prefix(2);
        continue;
      }
      if (const std::size_t taken = raw[1] == 'u' ? TakeUnicode(raw, out) : 0; taken > 0) {
        raw.remove_prefix(taken);
        continue;
      }
    }
    *out++ = raw[0];
    raw.remove_prefix(1);
  }
  return static_cast<std::size_t>(out - begin);
}

std::string Unescaped(std::string_view raw) {
  std::string text(raw.size(), '\0');
  text.resize(Unescape(raw, text.data()));
  return text;
}

}  // namespace lmbroker::portal
