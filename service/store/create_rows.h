#pragma once

// The table `creates`: the durable steps of two-phase creates. Each function is one statement within the caller's
// transaction.

#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "service/store/records.h"
#include "service/store/sqlite_database.h"

namespace lmbroker::store {

// INTERNAL when the marker is not new.
absl::Status InsertCreateRow(const Database& database, const CreateIntent& intent);
// INTERNAL when the marker is unknown.
absl::StatusOr<CreateIntent> GetCreateRow(const Database& database, std::string_view marker);
absl::Status SetCreateCommitted(const Database& database, std::string_view marker, const TokenName& token);
absl::Status SetCreatePhase(const Database& database, std::string_view marker, CreatePhase phase);
// The tokens that the caller created and that are not deleted, and its creates of which no token is known yet.
absl::StatusOr<std::int64_t> CountTokensOfCaller(const Database& database, std::string_view caller);
// The create that made one token is from now on that of another of the same admin. OK when there is none.
absl::Status MoveCreateRow(const Database& database, const TokenName& from, const TokenName& to);
// Neither finished nor abandoned, in the order in which they began.
absl::StatusOr<std::vector<CreateIntent>> ListOpenCreateRows(const Database& database);

}  // namespace lmbroker::store
