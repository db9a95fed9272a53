#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/time/time.h>

namespace lmbroker::store {

// Copies the store at `database` into the new file `out` (mode 0600), as it is at one moment, also while a broker
// changes it. What is sealed stays sealed: no key is needed. `out` is there, whole and on disk, when this returns OK;
// never overwrites. Waits up to `wait` where SQLite must wait. FAILED_PRECONDITION with the path and the problem.
absl::Status BackUp(const std::string& database, const std::string& out, absl::Duration wait);

}  // namespace lmbroker::store
