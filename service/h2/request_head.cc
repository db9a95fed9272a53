#include "service/h2/request_head.h"

#include <algorithm>
#include <utility>

#include "service/base/secret.h"

namespace lmbroker::h2 {
namespace {

// What most requests have; one that has more costs a copy.
constexpr std::size_t kMostOften = 512;
constexpr std::size_t kFieldsOften = 12;

}  // namespace

RequestHead::~RequestHead() { Wipe(text_.data(), text_.size()); }

// By hand, because a string that grows leaves what it held where it was.
void RequestHead::MakeRoom(std::size_t more) {
  if (text_.size() + more <= text_.capacity()) return;
  std::string larger;
  larger.reserve(std::max(kMostOften, 2 * (text_.size() + more)));
  larger = text_;
  std::swap(text_, larger);
  Wipe(larger.data(), larger.size());
}

void RequestHead::Add(std::string_view name, std::string_view value) {
  MakeRoom(name.size() + value.size());
  if (fields_.empty()) fields_.reserve(kFieldsOften);
  fields_.push_back({.at = text_.size(), .name_size = name.size(), .value_size = value.size()});
  text_.append(name).append(value);
}

std::string_view RequestHead::Find(std::string_view name) const {
  const auto found =
      std::find_if(fields_.begin(), fields_.end(), [&](const Field& field) { return NameOf(field) == name; });
  if (found == fields_.end()) return {};
  return {text_.data() + found->at + found->name_size, found->value_size};
}

std::size_t RequestHead::Count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(fields_.begin(), fields_.end(), [&](const Field& field) { return NameOf(field) == name; }));
}

}  // namespace lmbroker::h2
