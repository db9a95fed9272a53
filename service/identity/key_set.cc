#include "service/identity/key_set.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/crypto/encoding.h"
#include "service/identity/strict_json.h"

namespace lmbroker::identity {
namespace {

using nlohmann::json;

constexpr std::size_t kMostKeys = 64;

absl::Status Bad(std::string_view problem) { return absl::InvalidArgumentError(ToAbsl(problem)); }

// Whether the optional field is missing, or just this.
bool MayBe(const json& key, const char* field, std::string_view expected) {
  return !key.contains(field) || TextOf(key, field) == expected;
}

absl::StatusOr<std::string> BytesOf(const json& key, const char* field) {
  const auto text = TextOf(key, field);
  auto bytes = text.has_value() ? crypto::DecodeBase64Url(*text) : std::nullopt;
  if (!bytes.has_value()) return Bad(fmt::format("has no `{}` in base64url", field));
  return *std::move(bytes);
}

absl::StatusOr<PublicKey> ReadRsa(const json& key) {
  ASSIGN_OR_RETURN(const std::string modulus, BytesOf(key, "n"));
  ASSIGN_OR_RETURN(const std::string exponent, BytesOf(key, "e"));
  return PublicKey::Rsa(modulus, exponent);
}

absl::StatusOr<PublicKey> ReadP256(const json& key) {
  ASSIGN_OR_RETURN(const std::string x, BytesOf(key, "x"));
  ASSIGN_OR_RETURN(const std::string y, BytesOf(key, "y"));
  return PublicKey::P256(x, y);
}

// Nothing for a key that is not for signatures of ours.
std::optional<absl::StatusOr<PublicKey>> ReadKey(const json& key) {
  if (!MayBe(key, "use", "sig")) return std::nullopt;
  const auto type = TextOf(key, "kty");
  if (type == "RSA" && MayBe(key, "alg", "RS256")) return ReadRsa(key);
  if (type == "EC" && TextOf(key, "crv") == "P-256" && MayBe(key, "alg", "ES256")) return ReadP256(key);
  return std::nullopt;
}

}  // namespace

absl::StatusOr<KeySet> KeySet::Parse(std::string_view text) {
  if (text.size() > kMostKeySetBytes) return Bad("has more than 256 KiB");
  const auto document = ParseObject(text);
  const auto keys = document.has_value() ? document->find("keys") : json::const_iterator();
  if (!document.has_value() || keys == document->end() || !keys->is_array()) {
    return Bad("is no JSON object with an array `keys`");
  }
  if (keys->size() > kMostKeys) return Bad(fmt::format("has more than {} keys", kMostKeys));
  KeySet set;
  for (std::size_t i = 0; i < keys->size(); ++i) {
    const json& entry = (*keys)[i];
    if (!entry.is_object()) return Bad(fmt::format("has `keys[{}]`, which is no object", i));
    auto key_id = TextOf(entry, "kid");
    auto key = key_id.has_value() ? ReadKey(entry) : std::nullopt;
    if (!key.has_value()) continue;
    if (!key->ok()) return Bad(fmt::format("has `keys[{}]`, which {}", i, ToStd(key->status().message())));
    if (!set.keys_.emplace(*std::move(key_id), **std::move(key)).second) {
      return Bad(fmt::format("has two keys of one name (`keys[{}]`)", i));
    }
  }
  if (set.keys_.empty()) return Bad("has no key with a `kid` for RS256 or ES256");
  return set;
}

const PublicKey* KeySet::Find(std::string_view key_id) const {
  const auto found = keys_.find(key_id);
  return found == keys_.end() ? nullptr : &found->second;
}

}  // namespace lmbroker::identity
