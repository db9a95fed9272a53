#pragma once

// The one row of the table `integrity`: what all other tables hold, as a value that only the store key makes.

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/base/random.h"
#include "service/store/row_sum.h"
#include "service/store/sqlite_database.h"
#include "service/store/store_key.h"

namespace lmbroker::store {

inline constexpr std::string_view kIntegrityTable = "integrity";

struct IntegrityState {
  std::string store_id;      // kStoreIdBytes
  std::int64_t counter = 0;  // changes so far
  TableSums sums;

  bool operator==(const IntegrityState&) const = default;
};

// Whether the database has been sealed at all: false for a new one, and for one of version 1.
absl::StatusOr<bool> HasIntegrityRow(const Database& database);

// SEALED when the row is not one that `key` made.
absl::StatusOr<IntegrityState> ReadIntegrityRow(const Database& database, const StoreKey& key);

// Within the caller's transaction. A fresh nonce hides the sums each time.
absl::Status WriteIntegrityRow(const Database& database, const StoreKey& key, Random& random,
                               const IntegrityState& state);

}  // namespace lmbroker::store
