#pragma once

// The table `rotations`: the durable steps of rotations that have not ended. Each function is one statement within the
// caller's transaction.

#include <optional>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/store/records.h"
#include "service/store/sqlite_database.h"

namespace lmbroker::store {

// INTERNAL when the marker is not new, or the credential has a rotation that has not come to kRetiring.
absl::Status InsertRotationRow(const Database& database, const Rotation& rotation);
// Nothing when the marker is unknown.
absl::StatusOr<std::optional<Rotation>> FindRotationRow(const Database& database, std::string_view marker);
// INTERNAL when the marker is unknown.
absl::StatusOr<Rotation> GetRotationRow(const Database& database, std::string_view marker);
absl::Status SetRotationStored(const Database& database, std::string_view marker, const TokenName& token);
absl::Status SetRotationPromoted(const Database& database, std::string_view marker);
absl::Status SetRotationRetiring(const Database& database, std::string_view marker,
                                 const std::optional<absl::Time>& last_used_on, absl::Time still_since);
absl::Status DeleteRotationRow(const Database& database, std::string_view marker);
// In the order in which they began.
absl::StatusOr<std::vector<Rotation>> ListRotationRows(const Database& database);

}  // namespace lmbroker::store
