#include "service/crypto/transit_text.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <system_error>

#include "service/crypto/encoding.h"
#include "service/crypto/json_cursor.h"

namespace lmbroker::crypto {
namespace {

constexpr std::string_view kPrefix = "vault:v";

Secret Join(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  Secret joined = Secret::WithSize(size);
  char* end = joined.data();
  for (const std::string_view part : parts) end = std::copy(part.begin(), part.end(), end);
  return joined;
}

// The text of member `wanted` of the reply's member "data".
std::optional<std::string_view> DataMember(std::string_view reply, std::string_view wanted) {
  JsonCursor json(reply);
  std::optional<std::string_view> found;
  const bool read = json.Object([&](std::string_view name) {
    if (name != "data") return json.Skip();
    return json.Object([&](std::string_view member) {
      std::string_view value;
      if (member != wanted) return json.Skip();
      if (!json.String(value)) return false;
      found = value;
      return true;
    });
  });
  return read && json.AtEnd() ? found : std::nullopt;
}

}  // namespace

Secret EncryptRequest(const Secret& plaintext, std::string_view associated) {
  std::string text = EncodeBase64(plaintext.Reveal());
  Secret request = Join({R"({"plaintext":")", text, R"(","associated_data":")", EncodeBase64(associated), R"("})"});
  Wipe(text.data(), text.size());
  return request;
}

Secret DecryptRequest(std::string_view ciphertext, std::string_view associated) {
  return Join({R"({"ciphertext":")", ciphertext, R"(","associated_data":")", EncodeBase64(associated), R"("})"});
}

std::optional<std::string> CiphertextOf(std::string_view reply) {
  const auto text = DataMember(reply, "ciphertext");
  if (!text.has_value()) return std::nullopt;
  return std::string(*text);
}

std::optional<Secret> PlaintextOf(std::string_view reply) {
  const auto text = DataMember(reply, "plaintext");
  if (!text.has_value()) return std::nullopt;
  return DecodeBase64Secret(*text);
}

std::optional<std::uint32_t> VersionOf(std::string_view ciphertext) {
  const auto is_base64 = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=';
  };
  if (!ciphertext.starts_with(kPrefix)) return std::nullopt;
  const std::string_view rest = ciphertext.substr(kPrefix.size());
  std::uint32_t version = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), version);
  if (error != std::errc{} || version == 0 || rest.front() == '0') return std::nullopt;
  const std::string_view sealed = rest.substr(static_cast<std::size_t>(end - rest.data()));
  if (sealed.size() < 2 || sealed.front() != ':') return std::nullopt;
  if (!std::all_of(sealed.begin() + 1, sealed.end(), is_base64)) return std::nullopt;
  return version;
}

}  // namespace lmbroker::crypto
