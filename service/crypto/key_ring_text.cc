#include "service/crypto/key_ring_text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/crypto/aead.h"
#include "service/crypto/encoding.h"
#include "service/crypto/json_cursor.h"

namespace lmbroker::crypto {
namespace {

constexpr std::string_view kFormat = "lmbroker-keyring-1";
static_assert(AuditKey::kSeedBytes == Aead::kKeyBytes);
constexpr std::array kStates = {KeyState::kPrimary, KeyState::kActive, KeyState::kRetired};

bool ReadState(JsonCursor& json, KeyState& state) {
  std::string_view name;
  if (!json.String(name)) return false;
  const auto* const found =
      std::find_if(kStates.begin(), kStates.end(), [&](KeyState candidate) { return KeyStateName(candidate) == name; });
  if (found == kStates.end()) return false;
  state = *found;
  return true;
}

bool ReadTime(JsonCursor& json, absl::Time& time) {
  std::string_view text;
  return json.String(text) && absl::ParseTime(absl::RFC3339_full, ToAbsl(text), &time, nullptr);
}

bool ReadKeyBytes(JsonCursor& json, Secret& key) {
  std::string_view text;
  if (!json.String(text)) return false;
  auto bytes = DecodeBase64Secret(text);
  if (!bytes.has_value() || bytes->size() != Aead::kKeyBytes) return false;
  key = *std::move(bytes);
  return true;
}

bool ReadKey(JsonCursor& json, RingKey& key) {
  int fields = 0;
  const bool read = json.Object([&](std::string_view name) {
    ++fields;
    if (name == "version") return json.Integer(key.info.version) && key.info.version > 0;
    if (name == "state") return ReadState(json, key.info.state);
    if (name == "create_time") return ReadTime(json, key.info.create_time);
    if (name == "key") return ReadKeyBytes(json, key.key);
    return false;
  });
  return read && fields == 4;
}

bool ReadKeys(JsonCursor& json, std::vector<RingKey>& keys) {
  return json.Array([&] {
    RingKey key;
    if (keys.size() == kMostRingKeys || !ReadKey(json, key)) return false;
    keys.push_back(std::move(key));
    return true;
  });
}

bool ReadAuditKey(JsonCursor& json, std::optional<AuditKey>& audit_key) {
  AuditKey& key = audit_key.emplace();
  int fields = 0;
  const bool read = json.Object([&](std::string_view name) {
    ++fields;
    if (name == "create_time") return ReadTime(json, key.create_time);
    if (name == "seed") return ReadKeyBytes(json, key.seed);
    return false;
  });
  return read && fields == 2;
}

bool ReadRing(JsonCursor& json, RingContent& ring) {
  bool has_format = false;
  bool has_keys = false;
  const bool read = json.Object([&](std::string_view name) {
    if (name == "format") {
      std::string_view format;
      has_format = json.String(format) && format == kFormat;
      return has_format;
    }
    if (name == "highest_version") return json.Integer(ring.highest_version) && ring.highest_version > 0;
    if (name == "keys") return has_keys = ReadKeys(json, ring.keys);
    if (name == "audit_key") return ReadAuditKey(json, ring.audit_key);
    return false;
  });
  return read && has_format && has_keys && json.AtEnd();
}

absl::Status CheckVersions(RingContent& ring) {
  std::set<std::uint32_t> versions;
  for (const RingKey& key : ring.keys) {
    if (!versions.insert(key.info.version).second) {
      return absl::InvalidArgumentError(fmt::format("version {} is there twice", key.info.version));
    }
  }
  if (versions.empty()) return absl::OkStatus();  // CheckPrimary refuses it
  if (ring.highest_version == 0) ring.highest_version = *versions.rbegin();
  if (*versions.rbegin() <= ring.highest_version) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("version {} is above highest_version, {}", *versions.rbegin(), ring.highest_version));
}

absl::Status CheckPrimary(const RingContent& ring) {
  const auto primaries = std::count_if(ring.keys.begin(), ring.keys.end(),
                                       [](const RingKey& key) { return key.info.state == KeyState::kPrimary; });
  if (primaries == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} keys are primary, exactly one must be", primaries));
}

std::string TimeText(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()); }

// Appends the bytes in base64, and leaves no other copy of them.
void AppendKeyBytes(std::string& text, const Secret& key) {
  std::string bytes = EncodeBase64(key.Reveal());
  text += bytes;
  Wipe(bytes.data(), bytes.size());
}

}  // namespace

std::string_view KeyStateName(KeyState state) {
  switch (state) {
    case KeyState::kPrimary:
      return "primary";
    case KeyState::kActive:
      return "active";
    case KeyState::kRetired:
      return "retired";
  }
  return "unknown";
}

absl::StatusOr<RingContent> ParseKeyRing(std::string_view text) {
  JsonCursor json(text);
  RingContent ring;
  if (!ReadRing(json, ring)) {
    return absl::InvalidArgumentError(fmt::format("is not a key ring: wrong near byte {}", json.position()));
  }
  RETURN_IF_ERROR(CheckVersions(ring));
  RETURN_IF_ERROR(CheckPrimary(ring));
  return ring;
}

Secret FormatKeyRing(const RingContent& ring) {
  std::string text;
  text.reserve(400 + ring.keys.size() * 200);  // never grows: what is left behind by growing is not wiped
  fmt::format_to(std::back_inserter(text), "{{\n  \"format\": \"{}\",\n  \"highest_version\": {},\n  \"keys\": [",
                 kFormat, ring.highest_version);
  std::string_view separator = "\n";
  for (const RingKey& key : ring.keys) {
    fmt::format_to(std::back_inserter(text), R"({}    {{"version": {}, "state": "{}", "create_time": "{}", "key": ")",
                   separator, key.info.version, KeyStateName(key.info.state), TimeText(key.info.create_time));
    AppendKeyBytes(text, key.key);
    text += "\"}";
    separator = ",\n";
  }
  text += "\n  ]";
  if (ring.audit_key.has_value()) {
    fmt::format_to(std::back_inserter(text), ",\n  \"audit_key\": {{\"create_time\": \"{}\", \"seed\": \"",
                   TimeText(ring.audit_key->create_time));
    AppendKeyBytes(text, ring.audit_key->seed);
    text += "\"}";
  }
  text += "\n}\n";
  Secret result(text);
  Wipe(text.data(), text.size());
  return result;
}

}  // namespace lmbroker::crypto
