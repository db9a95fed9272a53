#include "service/rpc/wire.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/secret.h"
#include "service/base/status_macros.h"
#include "service/crypto/encoding.h"

namespace lmbroker::rpc {
namespace {

constexpr std::size_t kPrefix = 5;  // one byte of flags, four of length
// What is set aside for a message at once; a length alone is no reason to have more.
constexpr std::size_t kAtOnce = std::size_t{64} << 10;
constexpr std::size_t kTimeoutDigits = 8;

std::optional<absl::Duration> UnitOf(char unit) {
  switch (unit) {
    case 'H':
      return absl::Hours(1);
    case 'M':
      return absl::Minutes(1);
    case 'S':
      return absl::Seconds(1);
    case 'm':
      return absl::Milliseconds(1);
    case 'u':
      return absl::Microseconds(1);
    case 'n':
      return absl::Nanoseconds(1);
    default:
      return std::nullopt;
  }
}

// As grpc-message wants it: printable ASCII as it is, without the percent sign.
std::string PercentEncoded(std::string_view text) {
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      encoded.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(encoded), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

// Base64 without padding, as gRPC's own libraries send binary fields.
std::string Base64(std::string_view bytes) {
  std::string encoded = crypto::EncodeBase64(bytes);
  while (encoded.ends_with('=')) encoded.pop_back();
  return encoded;
}

absl::Status Malformed(std::string_view what) {
  return Refuse(Reason::kFieldInvalid, fmt::format("The message {}; send one as `grpc-encoding` says.", what));
}

}  // namespace

std::optional<absl::Duration> ParseTimeout(std::string_view value) {
  if (value.size() < 2 || value.size() > kTimeoutDigits + 1) return std::nullopt;
  const auto unit = UnitOf(value.back());
  value.remove_suffix(1);
  std::uint32_t count = 0;
  const auto parsed = std::from_chars(value.begin(), value.end(), count);
  if (!unit.has_value() || parsed.ec != std::errc() || parsed.ptr != value.end()) return std::nullopt;
  return count * *unit;
}

std::string Framed(const google::protobuf::MessageLite& message) {
  const std::size_t length = message.ByteSizeLong();
  std::string framed;
  framed.reserve(kPrefix + length);
  framed.push_back('\0');
  for (int shift = 24; shift >= 0; shift -= 8) framed.push_back(static_cast<char>((length >> shift) & 0xFF));
  message.AppendToString(&framed);
  return framed;
}

std::vector<std::pair<std::string, std::string>> TrailersOf(const WireStatus& status) {
  std::vector<std::pair<std::string, std::string>> trailers;
  trailers.emplace_back("grpc-status", std::to_string(status.code));
  if (!status.message.empty()) trailers.emplace_back("grpc-message", PercentEncoded(status.message));
  if (!status.details.empty()) trailers.emplace_back("grpc-status-details-bin", Base64(status.details));
  return trailers;
}

MessageCoding ParseMessageCoding(std::string_view value) {
  if (value.empty() || value == "identity") return {};
  if (value == "gzip") return {.coding = http::Coding::kGzip};
  if (value == "deflate") return {.coding = http::Coding::kDeflate};
  return {.known = false};
}

void MessageReader::Drop() {
  Wipe(message_.data(), message_.size());
  std::string().swap(message_);  // assigned to, it would keep its memory
  held_.TryResize(0);
}

absl::StatusOr<std::optional<std::string>> MessageReader::Next(std::string_view& bytes) {
  auto message = Read(bytes);
  if (!message.ok()) Drop();
  return message;
}

absl::StatusOr<std::optional<std::string>> MessageReader::Read(std::string_view& bytes) {
  const std::size_t of_prefix = std::min(kPrefix - prefix_.size(), bytes.size());
  if (of_prefix > 0) {
    prefix_ += bytes.substr(0, of_prefix);
    bytes.remove_prefix(of_prefix);
    if (prefix_.size() < kPrefix) return std::nullopt;
    RETURN_IF_ERROR(Begin());
  }
  if (prefix_.size() < kPrefix) return std::nullopt;
  const std::size_t of_message = std::min(length_ - message_.size(), bytes.size());
  RETURN_IF_ERROR(Take(bytes.substr(0, of_message)));
  bytes.remove_prefix(of_message);
  if (message_.size() < length_) return std::nullopt;
  ASSIGN_OR_RETURN(std::string whole, Whole());
  return whole;
}

absl::Status MessageReader::Begin() {
  length_ = 0;
  for (std::size_t i = 1; i < kPrefix; ++i) length_ = length_ << 8 | static_cast<unsigned char>(prefix_[i]);
  if (length_ > most_bytes_) {
    return Refuse(Reason::kBodyTooLarge,
                  fmt::format("The message has {} bytes; the broker takes {} at most.", length_, most_bytes_));
  }
  const char flags = prefix_.front();
  if (flags != 0 && flags != 1) return Malformed("has flags that gRPC does not know");
  if (flags == 1 && !coding_.coding.has_value()) return Malformed("says that it is compressed, and not how");
  return absl::OkStatus();
}

absl::Status MessageReader::Take(std::string_view bytes) {
  if (!held_.TryGrow(bytes.size())) return NoRoomFor("the request");
  const std::size_t needed = message_.size() + bytes.size();
  if (needed > message_.capacity()) {
    // By hand, because a string that grows leaves what it held where it was.
    std::string larger;
    larger.reserve(std::max(std::min(length_, kAtOnce), std::min(length_, 2 * needed)));
    larger = message_;
    std::swap(message_, larger);
    Wipe(larger.data(), larger.size());
  }
  message_ += bytes;
  return absl::OkStatus();
}

absl::StatusOr<std::string> MessageReader::Whole() {
  const bool compressed = prefix_.front() == 1;
  prefix_.clear();
  held_.TryResize(0);
  std::string message = std::exchange(message_, {});
  if (!compressed || !coding_.coding.has_value()) return message;
  auto inflated = http::Inflate(message, *coding_.coding, most_bytes_);
  Wipe(message.data(), message.size());
  return inflated;
}

}  // namespace lmbroker::rpc
