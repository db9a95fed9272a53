#include "client/cli/table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "service/base/text.h"

namespace lmbroker::cli {
namespace {

constexpr std::size_t kGap = 2;

bool IsContinuation(char byte) { return (static_cast<std::uint8_t>(byte) & 0xC0) == 0x80; }

// The bytes of the first character of `text`, or its first byte where the text is malformed.
std::string_view FirstCharacter(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() && size < 4 && IsContinuation(text[size])) ++size;
  const std::string_view character = text.substr(0, size);
  return IsUtf8(character) ? character : text.substr(0, 1);
}

bool IsHarmless(std::string_view character) {
  if (!IsUtf8(character) || HasControl(character)) return false;
  if (character >= "\xC2\x80" && character <= "\xC2\x9F") return false;  // C1 controls
  // U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069: line ends and direction marks.
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kHarmful = {{
      {"\xD8\x9C", "\xD8\x9C"},
      {"\xE2\x80\x8E", "\xE2\x80\x8F"},
      {"\xE2\x80\xA8", "\xE2\x80\xAE"},
      {"\xE2\x81\xA6", "\xE2\x81\xA9"},
  }};
  return std::none_of(kHarmful.begin(), kHarmful.end(),
                      [&](const auto& range) { return character >= range.first && character <= range.second; });
}

std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view character = FirstCharacter(text);
    if (IsHarmless(character)) {
      out += character;
    } else {
      for (const char byte : character) out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(byte));
    }
    text.remove_prefix(character.size());
  }
  return out;
}

Table::Table(std::vector<std::string> header) {
  if (!header.empty()) Add(std::move(header));
}

void Table::Add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = Printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::ToString() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Characters(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      line.append(widths[i] - Characters(row[i]) + kGap, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

}  // namespace lmbroker::cli
