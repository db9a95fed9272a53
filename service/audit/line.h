#pragma once

// A record as a line of JSON, with the keys of the contract (section 4, "Audit record") and no others.

#include <cstddef>
#include <string>
#include <string_view>

#include "service/audit/record.h"

namespace lmbroker::audit {

// No line is longer, whatever its record holds.
inline constexpr std::size_t kMostLineBytes = std::size_t{64} * 1024;

// Appends `record` as a JSON object without a number, with its newline: the form in which records wait for one. Each
// field is bounded, escaped, and repaired where it is not UTF-8.
void AppendUnnumbered(std::string& out, const Record& record);

// As lines write it: "intent", "outcome" and so on.
std::string_view KindName(Kind kind);

}  // namespace lmbroker::audit
