#pragma once

// What the tables of a database hold, summed up anew. Reads everything.

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/store/row_sum.h"
#include "service/store/sqlite_database.h"
#include "service/store/store_key.h"

namespace lmbroker::store {

// The name under which the schema itself is summed up: tables, indexes, and whatever else somebody may have added.
inline constexpr std::string_view kSchemaTable = "sqlite_schema";

// Of every table but `integrity`.
absl::StatusOr<TableSums> SumTables(const Database& database, const StoreKey& key);

// OK when the database holds just what `expected` says. SEALED with the table, and the row where it can be told.
absl::Status CompareTables(const Database& database, const StoreKey& key, const TableSums& expected);

}  // namespace lmbroker::store
