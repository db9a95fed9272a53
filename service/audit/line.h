#pragma once

// A record as a line of JSON, with the keys of the contract (section 4, "Audit record") and no others.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/time/time.h>

#include "service/audit/record.h"

namespace lmbroker::audit {

// No line is longer, whatever its record holds.
inline constexpr std::size_t kMostLineBytes = std::size_t{64} * 1024;

// Appends `record` as a JSON object without a number, with its newline: the form in which records wait for one. Each
// field is bounded, escaped, and repaired where it is not UTF-8.
void AppendUnnumbered(std::string& out, const Record& record);

// Appends the line that `unnumbered`, which AppendUnnumbered made, is as record `seq`.
void AppendNumbered(std::string& out, std::uint64_t seq, std::string_view unnumbered);

// What a line says about its place in the log.
struct Place {
  std::uint64_t seq = 0;
  absl::Time time;
};

// The place of `line` (without its newline); nothing when it is no whole record.
std::optional<Place> ReadPlace(std::string_view line);

}  // namespace lmbroker::audit
