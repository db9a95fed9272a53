#pragma once

#include <ostream>
#include <string_view>

#include <absl/status/status.h>

#include "client/cli/exit_code.h"

namespace lmbroker::cli {

// Writes why a call failed, for a person: the broker's sentence, its reason, the facts, and what to do next. Text from
// the broker is made printable. Returns what the process ends with.
ExitCode Report(const absl::Status& failure, std::ostream& err);

// What to do after a refusal with `reason`; something general for a reason that a newer broker made.
std::string_view NextStep(std::string_view reason);

}  // namespace lmbroker::cli
