#pragma once

// The table `credentials`. Each function is one statement within the caller's transaction; its errors are those of the
// Store method with its name.

#include <optional>
#include <vector>

#include <absl/status/statusor.h>

#include "service/store/records.h"
#include "service/store/sqlite_database.h"

namespace lmbroker::store {

absl::Status InsertCredentialRow(const Database& database, const CredentialRecord& record);
absl::StatusOr<CredentialRecord> GetCredentialRow(const Database& database, const CredentialName& name);
absl::StatusOr<std::vector<CredentialRecord>> ListCredentialRows(const Database& database,
                                                                 const std::optional<PortalName>& portal);
absl::Status UpdateCredentialRow(const Database& database, const CredentialRecord& record);
// No token may refer to it any more.
absl::Status DeleteCredentialRow(const Database& database, const CredentialName& name);

// The credentials whose `token` is this one.
absl::StatusOr<std::vector<CredentialName>> CredentialsOfToken(const Database& database, const TokenName& token);

}  // namespace lmbroker::store
