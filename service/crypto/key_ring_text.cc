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
constexpr std::size_t kMostKeys = 100;
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
    if (keys.size() == kMostKeys || !ReadKey(json, key)) return false;
    keys.push_back(std::move(key));
    return true;
  });
}

bool ReadRing(JsonCursor& json, std::vector<RingKey>& keys) {
  int fields = 0;
  std::string_view format;
  const bool read = json.Object([&](std::string_view name) {
    ++fields;
    if (name == "format") return json.String(format) && format == kFormat;
    if (name == "keys") return ReadKeys(json, keys);
    return false;
  });
  return read && fields == 2 && json.AtEnd();
}

absl::Status CheckRing(const std::vector<RingKey>& keys) {
  std::set<std::uint32_t> versions;
  for (const RingKey& key : keys) {
    if (!versions.insert(key.info.version).second) {
      return absl::InvalidArgumentError(fmt::format("version {} is there twice", key.info.version));
    }
  }
  const auto primaries =
      std::count_if(keys.begin(), keys.end(), [](const RingKey& key) { return key.info.state == KeyState::kPrimary; });
  if (primaries == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} keys are primary, exactly one must be", primaries));
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

absl::StatusOr<std::vector<RingKey>> ParseKeyRing(std::string_view text) {
  JsonCursor json(text);
  std::vector<RingKey> keys;
  if (!ReadRing(json, keys)) {
    return absl::InvalidArgumentError(fmt::format("is not a key ring: wrong near byte {}", json.position()));
  }
  RETURN_IF_ERROR(CheckRing(keys));
  return keys;
}

Secret FormatKeyRing(const std::vector<RingKey>& keys) {
  std::string text;
  text.reserve(100 + keys.size() * 200);  // never grows: what is left behind by growing is not wiped
  fmt::format_to(std::back_inserter(text), "{{\n  \"format\": \"{}\",\n  \"keys\": [", kFormat);
  std::string_view separator = "\n";
  for (const RingKey& key : keys) {
    std::string bytes = EncodeBase64(key.key.Reveal());
    fmt::format_to(std::back_inserter(text),
                   R"({}    {{"version": {}, "state": "{}", "create_time": "{}", "key": "{}"}})", separator,
                   key.info.version, KeyStateName(key.info.state),
                   absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", key.info.create_time, absl::UTCTimeZone()), bytes);
    Wipe(bytes.data(), bytes.size());
    separator = ",\n";
  }
  text += "\n  ]\n}\n";
  Secret result(text);
  Wipe(text.data(), text.size());
  return result;
}

}  // namespace lmbroker::crypto
