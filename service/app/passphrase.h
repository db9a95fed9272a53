#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "service/base/secret.h"

namespace lmbroker::app {

// A passphrase for an offline tool: the first line of `file` (which must be private), or of standard input when that is
// empty. At a terminal it is asked for and not shown, twice when it is `new_one`.
absl::StatusOr<Secret> ReadPassphrase(const std::string& file, bool new_one);

}  // namespace lmbroker::app
