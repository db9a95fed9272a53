#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace lmbroker::identity {

// The JSON object that `text` is, read so that nobody can read it differently: one value for a name, nested at most 8
// deep, UTF-8. Nothing when it is anything else.
std::optional<nlohmann::json> ParseObject(std::string_view text);

// The field, when it is there and of that type. Empty strings, negative numbers and fractions are none.
std::optional<std::string> TextOf(const nlohmann::json& object, const char* field);
std::optional<std::uint64_t> NumberOf(const nlohmann::json& object, const char* field);
// Null when it is not there or no object.
const nlohmann::json* ObjectOf(const nlohmann::json& object, const char* field);

}  // namespace lmbroker::identity
