#include "service/base/quantity.h"

#include <array>
#include <charconv>
#include <utility>

#include "service/base/text.h"

namespace lmbroker {
namespace {

constexpr absl::Duration kLongest = absl::Hours(24 * 3653);
constexpr std::uint64_t kLargest = std::uint64_t{1} << 53;
constexpr std::array kUnits = {std::pair<std::string_view, std::uint64_t>{"KiB", std::uint64_t{1} << 10},
                               std::pair<std::string_view, std::uint64_t>{"MiB", std::uint64_t{1} << 20},
                               std::pair<std::string_view, std::uint64_t>{"GiB", std::uint64_t{1} << 30}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<absl::Duration> ParseDuration(std::string_view text) {
  // Narrower than absl::ParseDuration, which also takes signs, "inf" and a "0" without unit.
  if (text.empty() || !IsDigit(text.front()) || IsDigit(text.back())) return std::nullopt;
  if (text.find_first_not_of("0123456789.hmsu") != std::string_view::npos) return std::nullopt;
  absl::Duration duration;
  if (!absl::ParseDuration(ToAbsl(text), &duration) || duration > kLongest) return std::nullopt;
  return duration;
}

std::optional<std::uint64_t> ParseSize(std::string_view text) {
  std::uint64_t unit = 1;
  for (const auto& [name, bytes] : kUnits) {
    if (!text.ends_with(name)) continue;
    unit = bytes;
    text.remove_suffix(name.size());
    break;
  }
  if (text.empty() || (text.front() == '0' && text.size() > 1)) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number > kLargest / unit) return std::nullopt;
  return number * unit;
}

}  // namespace lmbroker
