#include "service/crypto/protected_ring_text.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "service/crypto/encoding.h"
#include "service/crypto/json_cursor.h"

namespace lmbroker::crypto {
namespace {

constexpr std::string_view kFormat = "lmbroker-keyring-1-protected";
constexpr int kFields = 7;

bool ReadWord(JsonCursor& json, std::string_view word) {
  std::string_view value;
  return json.String(value) && value == word;
}

bool ReadBytes(JsonCursor& json, std::string& bytes) {
  std::string_view text;
  if (!json.String(text)) return false;
  std::optional<std::string> decoded = DecodeBase64(text);
  if (!decoded.has_value()) return false;
  bytes = *std::move(decoded);
  return true;
}

}  // namespace

bool IsProtectedRing(std::string_view text) {
  JsonCursor json(text);
  bool found = false;
  json.Object([&](std::string_view name) {
    found = name == "format" && ReadWord(json, kFormat);
    return false;  // it is the first field
  });
  return found;
}

absl::StatusOr<ProtectedRing> ParseProtectedRing(std::string_view text) {
  JsonCursor json(text);
  ProtectedRing ring;
  int fields = 0;
  const bool read = json.Object([&](std::string_view name) {
    ++fields;
    if (name == "format") return ReadWord(json, kFormat);
    if (name == "kdf") return ReadWord(json, "scrypt");
    if (name == "n") return json.Integer(ring.parameters.n);
    if (name == "r") return json.Integer(ring.parameters.r);
    if (name == "p") return json.Integer(ring.parameters.p);
    if (name == "salt") return ReadBytes(json, ring.parameters.salt);
    if (name == "sealed") return ReadBytes(json, ring.sealed);
    return false;
  });
  if (!read || fields != kFields || !json.AtEnd()) {
    return absl::InvalidArgumentError(fmt::format("is not a key ring: wrong near byte {}", json.position()));
  }
  if (!ring.parameters.IsAllowed()) {
    return absl::InvalidArgumentError("has scrypt parameters (n, r, p, salt) beyond what is allowed");
  }
  return ring;
}

std::string FormatProtectedRing(const ProtectedRing& ring) {
  return fmt::format(
      "{{\n  \"format\": \"{}\",\n  \"kdf\": \"scrypt\", \"n\": {}, \"r\": {}, \"p\": {}, \"salt\": \"{}\",\n  "
      "\"sealed\": \"{}\"\n}}\n",
      kFormat, ring.parameters.n, ring.parameters.r, ring.parameters.p, EncodeBase64(ring.parameters.salt),
      EncodeBase64(ring.sealed));
}

}  // namespace lmbroker::crypto
