#include "service/portal/key_names.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "service/base/text.h"

namespace lmbroker::portal {
namespace {

constexpr std::array<std::string_view, 15> kEndings = {
    "accesskey",   "secretkey", "apikey",     "privatekey",   "serviceaccountkey",
    "password",    "passwd",    "passphrase", "secret",       "apitoken",
    "accesstoken", "authtoken", "privtoken",  "refreshtoken", "bearertoken"};
constexpr std::array<std::string_view, 7> kPropertyEndings = {".pass",      ".pwd",   ".key",        ".auth",
                                                              ".community", ".token", ".credentials"};
constexpr std::string_view kToken = "token";

constexpr char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool IsSeparator(char c) { return c == '_' || c == '-'; }

// Whether `name`, without separators and in lower case, ends in `ending`.
bool EndsIn(std::string_view name, std::string_view ending) {
  while (!ending.empty()) {
    while (!name.empty() && IsSeparator(name.back())) name.remove_suffix(1);
    if (name.empty() || Lower(name.back()) != ending.back()) return false;
    name.remove_suffix(1);
    ending.remove_suffix(1);
  }
  return true;
}

// Every name of every reply is judged, and its last two letters rule nearly all of them out.
constexpr std::size_t Pair(char before, char last) {
  return (static_cast<unsigned char>(Lower(before)) % 32U) * 32U + static_cast<unsigned char>(Lower(last)) % 32U;
}

constexpr std::array<bool, 1024> kTellingPairs = [] {
  std::array<bool, 1024> pairs{};
  const auto add = [&pairs](std::string_view ending) {
    pairs[Pair(ending[ending.size() - 2], ending[ending.size() - 1])] = true;
  };
  for (const std::string_view ending : kEndings) add(ending);
  for (const std::string_view ending : kPropertyEndings) add(ending);
  add(kToken);
  return pairs;
}();

}  // namespace

bool IsKeyLike(std::string_view name) {
  while (!name.empty() && IsSeparator(name.back())) name.remove_suffix(1);
  if (name.size() < 4) return false;
  const char before = name[name.size() - 2];
  if (!IsSeparator(before) && !kTellingPairs[Pair(before, name.back())]) return false;
  const auto ends_in = [name](std::string_view ending) { return EndsIn(name, ending); };
  return std::any_of(kEndings.begin(), kEndings.end(), ends_in) ||
         std::any_of(kPropertyEndings.begin(), kPropertyEndings.end(), ends_in) || EqualsIgnoreCase(name, kToken);
}

}  // namespace lmbroker::portal
