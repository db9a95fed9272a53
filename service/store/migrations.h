#pragma once

#include <cstdint>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace lmbroker::store {

class Database;

// Marks a file as ours in SQLite's header: "LMbk".
inline constexpr int kApplicationId = 0x4C4D626B;

// OK for an empty file and for one of ours whose schema this program knows. Reads only; INVALID_ARGUMENT otherwise.
absl::Status CheckIdentity(const Database& database);

// The version of its schema: 0 for an empty file.
absl::StatusOr<std::int64_t> SchemaVersion(const Database& database);

inline constexpr std::int64_t kFirstSealedVersion = 2;    // from which on the table `integrity` is there
inline constexpr std::int64_t kFirstRotatingVersion = 3;  // from which on the table `rotations` is there
inline constexpr std::int64_t kFirstLeasedVersion = 3;    // from which on the table `leases` is there
inline constexpr std::int64_t kNewestVersion = 3;

// Brings the schema to the newest version, within the caller's transaction: a kill in between leaves the earlier one.
absl::Status Migrate(const Database& database);

}  // namespace lmbroker::store
