#include "service/base/json_object.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include <absl/time/civil_time.h>
#include <fmt/format.h>

#include "service/base/text.h"

namespace lmbroker {
namespace {

// The range of absl::Time is wider than the four digits of an RFC 3339 year.
constexpr absl::Time kEarliest = absl::FromUnixSeconds(-62'135'596'800);  // 0001-01-01T00:00:00Z
constexpr absl::Time kLatest = absl::FromUnixMicros(253'402'300'799'999'999);

bool IsPlain(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

// Appends the one character at the start of `text`, escaped where needed, and returns its bytes.
std::size_t AppendCharacter(std::string& out, std::string_view text) {
  const std::size_t length = Utf8SequenceLength(text);
  if (length == 0) {
    out += "\uFFFD";
    return 1;
  }
  const auto first = static_cast<std::uint8_t>(text[0]);
  if (first == '"' || first == '\\') {
    out += '\\';
    out += text[0];
  } else if (first < ' ' || first == 0x7F) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", first);
  } else if (length == 2 && first == 0xC2 && static_cast<std::uint8_t>(text[1]) < 0xA0) {  // U+0080 to U+009F
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<std::uint8_t>(text[1]));
  } else {
    out += text.substr(0, length);
  }
  return length;
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text, std::size_t most_bytes) {
  out += '"';
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t plain = at;
    while (plain < text.size() && plain < most_bytes && IsPlain(text[plain])) ++plain;
    out += text.substr(at, plain - at);
    at = plain;
    if (at == text.size()) break;
    if (at + std::max<std::size_t>(1, Utf8SequenceLength(text.substr(at))) > most_bytes) {
      out += "…";
      break;
    }
    at += AppendCharacter(out, text.substr(at));
  }
  out += '"';
}

void AppendTimestamp(std::string& out, absl::Time time) {
  const std::int64_t microseconds = absl::ToUnixMicros(std::clamp(time, kEarliest, kLatest));
  const std::int64_t rest = (microseconds % 1'000'000 + 1'000'000) % 1'000'000;
  const std::int64_t second = (microseconds - rest) / 1'000'000;
  // Many lines are of the same second, and a calendar costs more than the rest of a line.
  thread_local std::int64_t last_second = 0;
  thread_local std::string last_text = "1970-01-01T00:00:00.";
  if (second != last_second) {
    const absl::CivilSecond utc = absl::ToCivilSecond(absl::FromUnixSeconds(second), absl::UTCTimeZone());
    last_text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.", utc.year(), utc.month(), utc.day(), utc.hour(),
                            utc.minute(), utc.second());
    last_second = second;
  }
  out += last_text;
  std::array<char, 7> digits{'0', '0', '0', '0', '0', '0', 'Z'};
  std::int64_t left = rest;
  for (std::size_t i = 6; i-- > 0; left /= 10) digits[i] = static_cast<char>('0' + left % 10);
  out.append(digits.data(), digits.size());
}

void JsonObject::Key(std::string_view key) {
  if (!empty_) out_ += ',';
  empty_ = false;
  out_ += '"';
  out_ += key;
  out_ += "\":";
}

void JsonObject::Text(std::string_view key, std::string_view value, std::size_t most_bytes) {
  Key(key);
  AppendJsonString(out_, value, most_bytes);
}

void JsonObject::Integer(std::string_view key, std::int64_t value) {
  Key(key);
  const fmt::format_int digits(value);
  out_.append(digits.data(), digits.size());
}

void JsonObject::Unsigned(std::string_view key, std::uint64_t value) {
  Key(key);
  const fmt::format_int digits(value);
  out_.append(digits.data(), digits.size());
}

void JsonObject::Real(std::string_view key, double value) {
  Key(key);
  if (std::isfinite(value)) {
    fmt::format_to(std::back_inserter(out_), "{}", value);
  } else {
    out_ += "null";
  }
}

void JsonObject::Bool(std::string_view key, bool value) {
  Key(key);
  out_ += value ? "true" : "false";
}

void JsonObject::Time(std::string_view key, absl::Time value) {
  Key(key);
  out_ += '"';
  AppendTimestamp(out_, value);
  out_ += '"';
}

std::string& JsonObject::Object(std::string_view key) {
  Key(key);
  return out_;
}

}  // namespace lmbroker
