#include "service/portal/json_lexer.h"

#include <algorithm>
#include <array>
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

using ByteSet = std::array<bool, 256>;

constexpr ByteSet SetOf(std::string_view bytes, bool with_controls) {
  ByteSet set{};
  for (const char c : bytes) set[static_cast<unsigned char>(c)] = true;
  for (std::size_t c = 0; c < 0x20; ++c) set[c] = with_controls;
  return set;
}

constexpr ByteSet kStopsOutside = SetOf("{}[]:,\"", false);
constexpr ByteSet kStopsInString = SetOf("\"\\", true);

std::size_t SkipTo(const ByteSet& stops, std::string_view text, std::size_t from) {
  while (from < text.size() && !stops[static_cast<unsigned char>(text[from])]) ++from;
  return from;
}

}  // namespace

char JsonLexer::Next() {
  if (in_string_) return ReadString();
  const std::size_t at = SkipTo(kStopsOutside, window_.text, at_ - window_.offset);
  at_ = window_.offset + at;
  if (at == window_.text.size()) return 0;
  ++at_;
  if (const char c = window_.text[at]; c != '"') return c;
  string_ = {at_, at_};
  escaped_ = false;
  in_string_ = true;
  return ReadString();
}

char JsonLexer::ReadString() {
  const std::string_view text = window_.text;
  std::size_t at = at_ - window_.offset;
  char token = 0;
  while (token == 0) {
    at = SkipTo(kStopsInString, text, at);
    string_.end = window_.offset + at;
    if (at == text.size()) break;
    if (text[at] == '\\') {
      if (at + 1 == text.size() && !window_.last) break;
      escaped_ = true;
      at = std::min(at + 2, text.size());
      continue;
    }
    token = text[at] == '"' ? '"' : '!';
    ++at;
  }
  at_ = window_.offset + at;
  if (token == 0 && window_.last) token = '"';
  in_string_ = token == 0;
  return token;
}

std::size_t UnescapeOne(std::string_view raw, char*& out) {
  if (raw[0] == '\\' && raw.size() > 1) {
    if (const auto simple = Simple(raw[1]); simple.has_value()) {
      *out++ = *simple;
      return 2;
    }
    if (const std::size_t taken = raw[1] == 'u' ? TakeUnicode(raw, out) : 0; taken > 0) return taken;
  }
  *out++ = raw[0];
  return 1;
}

std::size_t Unescape(std::string_view raw, char* out) {
  char* const begin = out;
  while (!raw.empty()) raw.remove_prefix(UnescapeOne(raw, out));
  return static_cast<std::size_t>(out - begin);
}

std::string Unescaped(std::string_view raw) {
  std::string text(raw.size(), '\0');
  text.resize(Unescape(raw, text.data()));
  return text;
}

}  // namespace lmbroker::portal
