#pragma once

// Durations and sizes as people write them into files.

#include <cstdint>
#include <optional>
#include <string_view>

#include <absl/time/time.h>

namespace lmbroker {

// "20s", "250ms", "24h", "1h30m". Units h, m, s, ms, us; never negative, at most ten years.
std::optional<absl::Duration> ParseDuration(std::string_view text);

// Bytes: "8388608", or with a unit KiB, MiB, GiB: "8MiB". At most 2^53.
std::optional<std::uint64_t> ParseSize(std::string_view text);

}  // namespace lmbroker
