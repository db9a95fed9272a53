#pragma once

// What commands read beside their arguments.

#include <string>

#include <absl/status/statusor.h>

#include "client/cli/command.h"
#include "service/base/secret.h"

namespace lmbroker::cli {

// A secret from `file`, or from standard input when `file` is empty; there a person is asked for it, and what is typed
// is not shown. One line end behind it is dropped. INVALID_ARGUMENT when there is none, or more than 64 KiB.
absl::StatusOr<Secret> ReadSecret(const std::string& file, Io& io);

// All of `file`, or of standard input when it is "-". INVALID_ARGUMENT when it cannot be read or has over 256 MiB.
absl::StatusOr<std::string> ReadBody(const std::string& file, Io& io);

}  // namespace lmbroker::cli
