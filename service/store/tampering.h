#pragma once

#include <string_view>

#include <absl/status/status.h>

namespace lmbroker::store {

// SEALED: the database is not what the broker wrote; `what` says in which way ("the table `tokens` …"). The message
// says what to do.
absl::Status Tampered(std::string_view what);

}  // namespace lmbroker::store
