#pragma once

#include <string>

#include <absl/status/status.h>

namespace lmbroker::store {

// Makes what was created, renamed or removed beside `path` outlive a crash. FAILED_PRECONDITION.
absl::Status SyncDirectoryOf(const std::string& path);

}  // namespace lmbroker::store
