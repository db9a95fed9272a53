#pragma once

#include <absl/status/status.h>

namespace lmbroker::store {

class Database;

// Marks a file as ours in SQLite's header: "LMbk".
inline constexpr int kApplicationId = 0x4C4D626B;

// OK for an empty file and for one of ours whose schema this program knows. Reads only; INVALID_ARGUMENT otherwise.
absl::Status CheckIdentity(const Database& database);

// Brings the schema to the newest version, one transaction a step: a kill in between leaves a whole earlier version.
absl::Status Migrate(const Database& database);

}  // namespace lmbroker::store
