#pragma once

// Enumerations and ids as they stand in columns. A row is outside data: it is checked when it is read.

#include <cstdint>
#include <optional>
#include <string_view>

#include <absl/status/status.h>

#include "service/base/names.h"
#include "service/base/token.h"
#include "service/store/records.h"

namespace lmbroker::store {

std::string_view ToColumn(TokenType value);
std::string_view ToColumn(TokenStatus value);
std::string_view ToColumn(CredentialState value);
std::string_view ToColumn(TokenCustody value);
std::string_view ToColumn(CreatePhase value);
std::string_view ToColumn(RotationPhase value);
std::string_view ToColumn(LeaseState value);

// False, and `value` as it was, for a text that no value has.
bool FromColumn(std::string_view text, TokenType& value);
bool FromColumn(std::string_view text, TokenStatus& value);
bool FromColumn(std::string_view text, CredentialState& value);
bool FromColumn(std::string_view text, TokenCustody& value);
bool FromColumn(std::string_view text, CreatePhase& value);
bool FromColumn(std::string_view text, RotationPhase& value);
bool FromColumn(std::string_view text, LeaseState& value);

// STORE_UNAVAILABLE: a row holds what no version of this program wrote.
absl::Status BadRow();

// Each gives BadRow for what is not a name.
absl::StatusOr<PortalName> PortalFromColumn(std::string_view portal);
absl::StatusOr<CredentialName> CredentialFromColumns(std::string_view portal, std::string_view id);
absl::StatusOr<AdminName> AdminFromColumns(std::string_view portal, std::int64_t admin);
absl::StatusOr<TokenName> TokenFromColumns(std::string_view portal, std::int64_t admin, std::int64_t id);

}  // namespace lmbroker::store
