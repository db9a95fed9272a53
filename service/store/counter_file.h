#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/store/store_key.h"

namespace lmbroker::store {

// The number of the store's last change, kept outside the database: an older database that is put in the place of the
// present one does not agree with it.
//
// Two slots, a disk sector each or less, which are written in turn: a write that is cut off ruins the older number at
// most. Each binds the number to the store's id under the store key. A blank file (all zero) is made before a store's
// first change, so that a missing one is never the work of a crash. Not synchronised.
class CounterFile {
 public:
  enum class State {
    kMissing,
    kBlank,
    kForeign,  // damaged, or of a store with another key
    kKnown,
  };
  struct Reading {
    State state = State::kMissing;
    std::string store_id;      // when known
    std::int64_t counter = 0;  // when known; 0 in a blank file
  };

  explicit CounterFile(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }

  // FAILED_PRECONDITION when the file cannot be read, or others may write it.
  absl::StatusOr<Reading> Read(const StoreKey& key) const;
  // Makes it with mode 0600 if there is none.
  absl::Status MakeIfMissing() const;
  // On disk when OK; makes the file anew when it was removed. STORE_UNAVAILABLE.
  absl::Status Write(const StoreKey& key, std::string_view store_id, std::int64_t counter) const;

 private:
  std::string path_;
};

}  // namespace lmbroker::store
