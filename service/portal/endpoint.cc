#include "service/portal/endpoint.h"

#include <algorithm>
#include <cstdint>

namespace lmbroker::portal {
namespace {

constexpr std::string_view kId = "{id}";

// The first segment of `path`, folded; `path` then goes on with the next one. `path` starts with a slash.
std::string_view TakeSegment(std::string_view& path) {
  path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  const bool number = std::all_of(segment.begin(), segment.end(), [](char c) { return c >= '0' && c <= '9'; });
  return number ? kId : segment;
}

}  // namespace

std::string EndpointPattern(std::string_view path) {
  std::string pattern;
  while (!path.empty()) {
    pattern += '/';
    pattern += TakeSegment(path);
  }
  return pattern;
}

std::size_t Endpoint::Hash() const {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  const auto mix = [&hash](std::uint64_t byte) { hash = (hash ^ byte) * 1099511628211U; };
  mix(static_cast<std::uint64_t>(api));
  mix(static_cast<std::uint64_t>(method));
  for (std::string_view rest = path; !rest.empty();) {
    mix('/');
    for (const char c : TakeSegment(rest)) mix(static_cast<unsigned char>(c));
  }
  return hash;
}

bool Endpoint::IsSame(const Endpoint& other) const {
  if (api != other.api || method != other.method) return false;
  std::string_view a = path;
  std::string_view b = other.path;
  while (!a.empty() && !b.empty()) {
    if (TakeSegment(a) != TakeSegment(b)) return false;
  }
  return a.empty() && b.empty();
}

}  // namespace lmbroker::portal
