#include "service/audit/chain.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>

#include <fmt/format.h>

#include "service/base/text.h"
#include "service/crypto/digest.h"

namespace lmbroker::audit {
namespace {

constexpr std::string_view kSeq = "{\"seq\":";
constexpr std::string_view kTime = ",\"time\":\"";
constexpr std::string_view kKind = "\",\"kind\":\"";
constexpr std::string_view kId = ",\"id\":\"";
constexpr std::string_view kPrev = ",\"prev\":\"";
constexpr std::string_view kHash = "\",\"hash\":\"";
constexpr std::string_view kEnd = "\"}";
constexpr std::size_t kHexDigits = 64;
constexpr std::size_t kTail = kPrev.size() + kHexDigits + kHash.size() + kHexDigits + kEnd.size();
// Of the line, what is hashed ends with the quote behind `prev`.
constexpr std::size_t kNotHashed = kHash.size() - 1 + kHexDigits + kEnd.size();

bool Take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Up to the next quote; the texts read so have no escapes.
std::string_view TakePlain(std::string_view& text) {
  const std::string_view plain = text.substr(0, text.find_first_of("\"\\"));
  text.remove_prefix(plain.size());
  return plain;
}

bool TakeNumber(std::string_view& text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number == 0 || text.front() == '0') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

std::string_view TakeHex(std::string_view& text) {
  const std::string_view hex = text.substr(0, kHexDigits);
  text.remove_prefix(hex.size());
  return hex;
}

bool ReadTail(std::string_view tail, ChainedLine& line) {
  if (!Take(tail, kPrev)) return false;
  line.prev = TakeHex(tail);
  if (!Take(tail, kHash)) return false;
  line.hash = TakeHex(tail);
  return tail == kEnd;
}

bool ReadHead(std::string_view head, ChainedLine& line) {
  if (!Take(head, kSeq) || !TakeNumber(head, line.seq) || !Take(head, kTime)) return false;
  line.time = TakePlain(head);
  if (!Take(head, kKind)) return false;
  line.kind = TakePlain(head);
  if (!Take(head, "\"")) return false;
  line.rest = head;
  return true;
}

}  // namespace

void AppendChained(std::string& out, std::string_view unnumbered, Link& last) {
  const std::size_t start = out.size();
  const fmt::format_int seq(++last.seq);
  out += kSeq;
  out.append(seq.data(), seq.size());
  out += ',';
  out += unnumbered.substr(1, unnumbered.size() - 3);  // without its braces and newline
  out += kPrev;
  out += last.hash;
  out += '"';
  last.hash = crypto::Sha256Hex(std::string_view(out).substr(start));
  out += kHash.substr(1);
  out += last.hash;
  out += kEnd;
  out += '\n';
}

std::string_view ChainedLine::id() const {
  std::string_view members = rest;
  return Take(members, kId) ? TakePlain(members) : std::string_view();
}

std::optional<ChainedLine> ReadChained(std::string_view line) {
  if (line.size() < kTail) return std::nullopt;
  ChainedLine read{.text = line};
  if (!ReadTail(line.substr(line.size() - kTail), read) || !ReadHead(line.substr(0, line.size() - kTail), read)) {
    return std::nullopt;
  }
  if (crypto::Sha256Hex(line.substr(0, line.size() - kNotHashed)) != read.hash) return std::nullopt;
  return read;
}

std::optional<absl::Time> ReadTime(const ChainedLine& line) {
  absl::Time time;
  if (!absl::ParseTime(absl::RFC3339_full, ToAbsl(line.time), &time, nullptr)) return std::nullopt;
  return time;
}

}  // namespace lmbroker::audit
