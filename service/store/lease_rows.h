#pragma once

// The table `leases`. Each function is one statement within the caller's transaction; its errors are those of the Store
// method with its name.

#include <cstdint>
#include <optional>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/store/records.h"
#include "service/store/sqlite_database.h"

namespace lmbroker::store {

// Its token must be there.
absl::Status InsertLeaseRow(const Database& database, const LeaseRecord& lease);
// Nothing when the token has none.
absl::StatusOr<std::optional<LeaseRecord>> GetLeaseRow(const Database& database, const TokenName& token);
absl::StatusOr<std::vector<LeaseRecord>> ListLeaseRows(const Database& database, const LeaseSelection& selection);
absl::StatusOr<std::vector<LeaseRecord>> ListDueLeaseRows(const Database& database, const PortalName& portal,
                                                          LeaseState state, absl::Time now, int most);
absl::StatusOr<std::int64_t> CountStuckLeaseRows(const Database& database, const PortalName& portal);
absl::Status UpdateLeaseRow(const Database& database, const LeaseRecord& lease);
// OK when there is none.
absl::Status DeleteLeaseRow(const Database& database, const TokenName& token);

}  // namespace lmbroker::store
