#pragma once

#include <cstddef>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/random.h"
#include "service/crypto/envelope.h"

namespace lmbroker::store {

struct RestoreOptions {
  std::string backup;   // a file that BackUp made, or any store that was closed; only read
  std::string path;     // of the store
  std::string counter;  // its counter file
  absl::Time now;       // for the name of what was there before
};

struct Restored {
  std::string kept;  // where the database that was there before lies now; empty when there was none
  std::size_t credentials = 0;
  std::size_t tokens = 0;
};

// Puts a backup in the place of the store, when no broker runs, after the whole of it was verified and every secret in
// it was opened with the `envelope`. The counter file is made new, so that the restored store opens and the one before
// does not. Nothing is destroyed: what was there is renamed. A kill in between leaves the old store, or one that a
// broker refuses until this is done again. FAILED_PRECONDITION, and nothing was changed, when a broker runs, or the
// backup is not whole, not of this key ring, or not what a broker wrote.
absl::StatusOr<Restored> Restore(const RestoreOptions& options, const crypto::Envelope& envelope, Random& random);

}  // namespace lmbroker::store
