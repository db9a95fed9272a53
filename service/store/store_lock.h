#pragma once

#include <string>
#include <utility>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/descriptor.h"

namespace lmbroker::store {

// The right to open a database for writing: held by one process, once, through a lock on the file `DATABASE.lock`,
// which stays. The database itself is locked by SQLite for moments only, so that others may read it, as a backup does.
class StoreLock {
 public:
  StoreLock(StoreLock&&) = default;
  // Waits up to `wait` for another holder to let go. FAILED_PRECONDITION when that does not, or when the file cannot be
  // made.
  static absl::StatusOr<StoreLock> Take(const std::string& database, absl::Duration wait);

 private:
  explicit StoreLock(Descriptor file) : file_(std::move(file)) {}

  Descriptor file_;
};

}  // namespace lmbroker::store
