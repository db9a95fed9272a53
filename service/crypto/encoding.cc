#include "service/crypto/encoding.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace lmbroker::crypto {
namespace {

constexpr std::string_view kStandard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlSafe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kHexDigits = "0123456789abcdef";

// Three bytes are four digits; a rest of one byte is two digits, of two bytes three.
std::string Encode64(std::string_view alphabet, std::string_view bytes) {
  std::string text((bytes.size() * 4 + 2) / 3, '\0');
  char* out = text.data();
  std::uint32_t bits = 0;
  int waiting = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<std::uint8_t>(c);
    for (waiting += 8; waiting >= 6; waiting -= 6) *out++ = alphabet[(bits >> (waiting - 6)) & 0x3F];
  }
  if (waiting > 0) *out = alphabet[(bits << (6 - waiting)) & 0x3F];
  return text;
}

// Bytes that `digits` base64 digits hold; nothing when no value has that many.
std::optional<std::size_t> DecodedSize(std::size_t digits) {
  if (digits % 4 == 1) return std::nullopt;
  return digits / 4 * 3 + (digits % 4 == 0 ? 0 : digits % 4 - 1);
}

// Decodes `digits` (no padding) into `out`, which has DecodedSize bytes.
bool Decode64(std::string_view alphabet, std::string_view digits, char* out) {
  std::uint32_t bits = 0;
  int waiting = 0;
  for (const char c : digits) {
    const std::size_t value = alphabet.find(c);
    if (value == std::string_view::npos) return false;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    waiting += 6;
    if (waiting >= 8) {
      waiting -= 8;
      *out++ = static_cast<char>((bits >> waiting) & 0xFF);
    }
  }
  return (bits & ((1U << waiting) - 1U)) == 0;
}

// `text` without its padding; nothing when the padding is not exactly what the size asks for.
std::optional<std::string_view> WithoutPadding(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::string_view digits = text.substr(0, text.find('='));
  const std::string_view padding = text.substr(digits.size());
  return padding.empty() || padding == "=" || padding == "==" ? std::optional(digits) : std::nullopt;
}

std::optional<std::string> DecodeDigits(std::string_view alphabet, std::string_view digits) {
  const auto size = DecodedSize(digits.size());
  if (!size.has_value()) return std::nullopt;
  std::string bytes(*size, '\0');
  if (!Decode64(alphabet, digits, bytes.data())) return std::nullopt;
  return bytes;
}

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  std::string text = Encode64(kStandard, bytes);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  const auto digits = WithoutPadding(text);
  return digits.has_value() ? DecodeDigits(kStandard, *digits) : std::nullopt;
}

std::optional<Secret> DecodeBase64Secret(std::string_view text) {
  const auto digits = WithoutPadding(text);
  const auto size = digits.has_value() ? DecodedSize(digits->size()) : std::nullopt;
  if (!size.has_value()) return std::nullopt;
  Secret secret = Secret::WithSize(*size);
  if (!Decode64(kStandard, *digits, secret.data())) return std::nullopt;
  return secret;
}

std::string EncodeBase64Url(std::string_view bytes) { return Encode64(kUrlSafe, bytes); }

std::optional<std::string> DecodeBase64Url(std::string_view text) { return DecodeDigits(kUrlSafe, text); }

std::string EncodeHex(std::string_view bytes) {
  std::string text(bytes.size() * 2, '\0');
  char* out = text.data();
  for (const char c : bytes) {
    const auto byte = static_cast<std::uint8_t>(c);
    *out++ = kHexDigits[byte >> 4];
    *out++ = kHexDigits[byte & 0x0F];
  }
  return text;
}

std::optional<std::string> DecodeHex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::size_t high = kHexDigits.find(text[i]);
    const std::size_t low = kHexDigits.find(text[i + 1]);
    if (std::max(high, low) >= kHexDigits.size()) return std::nullopt;
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

}  // namespace lmbroker::crypto
