#pragma once

// The tables `sealed_values` and `settings`: single values by name. Each function is one statement within the caller's
// transaction.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "service/store/records.h"
#include "service/store/sqlite_database.h"

namespace lmbroker::store {

// By name.
absl::StatusOr<std::vector<SealedValue>> ListSealedValueRows(const Database& database);
absl::StatusOr<std::optional<SealedSecret>> GetSealedValueRow(const Database& database, std::string_view name);
// In the place of the one that has the name, if there is one.
absl::Status PutSealedValueRow(const Database& database, const SealedValue& value);

// OK when there is none.
absl::Status ReplaceSealedValueRow(const Database& database, const SealedValue& value);
absl::Status DeleteSealedValueRow(const Database& database, std::string_view name);

absl::StatusOr<std::optional<std::string>> GetSettingRow(const Database& database, std::string_view name);
absl::Status PutSettingRow(const Database& database, std::string_view name, std::string_view value);
// OK when there is none.
absl::Status DeleteSettingRow(const Database& database, std::string_view name);

}  // namespace lmbroker::store
