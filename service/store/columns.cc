#include "service/store/columns.h"

#include <array>
#include <limits>
#include <utility>

#include "service/base/error.h"
#include "service/base/status_macros.h"

namespace lmbroker::store {
namespace {

template <class Enum>
using Row = std::pair<Enum, std::string_view>;

constexpr std::array<Row<TokenType>, 2> kTypes{{{TokenType::kLmv1, "LMV1"}, {TokenType::kBearer, "BEARER"}}};
constexpr std::array<Row<TokenStatus>, 2> kStatuses{
    {{TokenStatus::kDisabled, "DISABLED"}, {TokenStatus::kEnabled, "ENABLED"}}};
constexpr std::array<Row<CredentialState>, 3> kStates{{{CredentialState::kActive, "ACTIVE"},
                                                       {CredentialState::kQuarantined, "QUARANTINED"},
                                                       {CredentialState::kRotating, "ROTATING"}}};
constexpr std::array<Row<TokenCustody>, 2> kCustodies{
    {{TokenCustody::kBroker, "BROKER"}, {TokenCustody::kHandedOver, "HANDED_OVER"}}};
constexpr std::array<Row<CreatePhase>, 4> kPhases{{{CreatePhase::kIntended, "INTENDED"},
                                                   {CreatePhase::kCommitted, "COMMITTED"},
                                                   {CreatePhase::kFinished, "FINISHED"},
                                                   {CreatePhase::kAbandoned, "ABANDONED"}}};
constexpr std::array<Row<RotationPhase>, 4> kRotationPhases{{{RotationPhase::kIntended, "INTENDED"},
                                                             {RotationPhase::kStored, "STORED"},
                                                             {RotationPhase::kPromoted, "PROMOTED"},
                                                             {RotationPhase::kRetiring, "RETIRING"}}};
constexpr std::array<Row<LeaseState>, 3> kLeaseStates{
    {{LeaseState::kActive, "ACTIVE"}, {LeaseState::kDisabled, "DISABLED"}, {LeaseState::kStuck, "STUCK"}}};

template <class Rows, class Enum>
std::string_view TextOf(const Rows& rows, Enum value) {
  for (const auto& [candidate, text] : rows) {
    if (candidate == value) return text;
  }
  return "";  // no such value: the schema refuses the row
}

template <class Rows, class Enum>
bool ValueOf(const Rows& rows, std::string_view text, Enum& value) {
  for (const auto& [candidate, candidate_text] : rows) {
    if (candidate_text != text) continue;
    value = candidate;
    return true;
  }
  return false;
}

// LM's ids (contract, section 1).
bool IsId(std::int64_t id) { return id >= 1 && id <= std::numeric_limits<std::int32_t>::max(); }

}  // namespace

std::string_view ToColumn(TokenType value) { return TextOf(kTypes, value); }
std::string_view ToColumn(TokenStatus value) { return TextOf(kStatuses, value); }
std::string_view ToColumn(CredentialState value) { return TextOf(kStates, value); }
std::string_view ToColumn(TokenCustody value) { return TextOf(kCustodies, value); }
std::string_view ToColumn(CreatePhase value) { return TextOf(kPhases, value); }
std::string_view ToColumn(RotationPhase value) { return TextOf(kRotationPhases, value); }
std::string_view ToColumn(LeaseState value) { return TextOf(kLeaseStates, value); }

bool FromColumn(std::string_view text, TokenType& value) { return ValueOf(kTypes, text, value); }
bool FromColumn(std::string_view text, TokenStatus& value) { return ValueOf(kStatuses, text, value); }
bool FromColumn(std::string_view text, CredentialState& value) { return ValueOf(kStates, text, value); }
bool FromColumn(std::string_view text, TokenCustody& value) { return ValueOf(kCustodies, text, value); }
bool FromColumn(std::string_view text, CreatePhase& value) { return ValueOf(kPhases, text, value); }
bool FromColumn(std::string_view text, RotationPhase& value) { return ValueOf(kRotationPhases, text, value); }
bool FromColumn(std::string_view text, LeaseState& value) { return ValueOf(kLeaseStates, text, value); }

absl::Status BadRow() {
  return Refuse(Reason::kStoreUnavailable,
                "The broker's store holds a row that it did not write; restore the database from a backup.");
}

absl::StatusOr<PortalName> PortalFromColumn(std::string_view portal) {
  auto name = PortalName::FromId(portal, "portal");
  return name.ok() ? std::move(name) : BadRow();
}

absl::StatusOr<CredentialName> CredentialFromColumns(std::string_view portal, std::string_view id) {
  ASSIGN_OR_RETURN(PortalName portal_name, PortalFromColumn(portal));
  auto name = CredentialName::FromId(std::move(portal_name), id, "credential");
  return name.ok() ? std::move(name) : BadRow();
}

absl::StatusOr<AdminName> AdminFromColumns(std::string_view portal, std::int64_t admin) {
  ASSIGN_OR_RETURN(PortalName portal_name, PortalFromColumn(portal));
  if (!IsId(admin)) return BadRow();
  return AdminName(std::move(portal_name), static_cast<std::int32_t>(admin));
}

absl::StatusOr<TokenName> TokenFromColumns(std::string_view portal, std::int64_t admin, std::int64_t id) {
  ASSIGN_OR_RETURN(AdminName admin_name, AdminFromColumns(portal, admin));
  if (!IsId(id)) return BadRow();
  return TokenName(std::move(admin_name), static_cast<std::int32_t>(id));
}

}  // namespace lmbroker::store
