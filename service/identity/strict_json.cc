#include "service/identity/strict_json.h"

#include <functional>
#include <set>
#include <utility>
#include <vector>

namespace lmbroker::identity {
namespace {

using nlohmann::json;

constexpr int kDeepest = 8;

// Watches the parser: which names each open object has had, and how deep it is.
class Watch {
 public:
  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    if (depth > kDeepest) good_ = false;
    if (event == json::parse_event_t::object_start) names_.emplace_back();
    if (event == json::parse_event_t::object_end) names_.pop_back();
    if (event == json::parse_event_t::key && !names_.back().insert(parsed.get<std::string>()).second) good_ = false;
    return good_;
  }
  bool good() const { return good_; }

 private:
  std::vector<std::set<std::string>> names_;
  bool good_ = true;
};

}  // namespace

std::optional<json> ParseObject(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;  // the parser takes a NUL for the end
  Watch watch;
  json object = json::parse(text.begin(), text.end(), std::ref(watch), /*allow_exceptions=*/false);
  if (!watch.good() || !object.is_object()) return std::nullopt;
  return object;
}

std::optional<std::string> TextOf(const json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  std::string text = found->get<std::string>();
  return text.empty() ? std::nullopt : std::optional(std::move(text));
}

std::optional<std::uint64_t> NumberOf(const json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

const json* ObjectOf(const json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_object() ? &*found : nullptr;
}

}  // namespace lmbroker::identity
