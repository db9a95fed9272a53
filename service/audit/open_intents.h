#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "service/audit/sink.h"

namespace lmbroker::audit {

// The intents of earlier runs that have no outcome, oldest first, each as its line without the newline: those of a run
// that was killed. Reads the sink's records back to the start of the last run (beyond it when that was cut short while
// it closed intents itself), and no further than `most_bytes` of lines.
absl::StatusOr<std::vector<std::string>> FindOpenIntents(const Sink& sink, std::size_t most_bytes);

}  // namespace lmbroker::audit
