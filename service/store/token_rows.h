#pragma once

// The table `tokens`: what the broker created at a portal. Each function is one statement within the caller's
// transaction; its errors are those of the Store method with its name.

#include <vector>

#include <absl/status/statusor.h>

#include "service/store/records.h"
#include "service/store/sqlite_database.h"

namespace lmbroker::store {

// INTERNAL when the token is there already: LM does not use an id twice.
absl::Status InsertTokenRow(const Database& database, const TokenRecord& record);
absl::StatusOr<TokenRecord> GetTokenRow(const Database& database, const TokenName& name);
absl::StatusOr<std::vector<TokenRecord>> ListTokenRows(const Database& database, const PortalName& portal);
// OK when there is none.
absl::Status DeleteTokenRow(const Database& database, const TokenName& name);

// UNKNOWN_TOKEN if there is none.
absl::Status BindTokenRow(const Database& database, const TokenName& name, const CredentialName& credential);

// Makes no token refer to the credential any more.
absl::Status UnbindTokenRows(const Database& database, const CredentialName& credential);

}  // namespace lmbroker::store
