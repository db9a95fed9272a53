#include "service/store/lease_rows.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "service/base/status_macros.h"
#include "service/store/columns.h"
#include "service/store/record_rules.h"

namespace lmbroker::store {
namespace {

// The columns of a row, in the order of ReadLease.
#define LMBROKER_LEASE_COLUMNS \
  "portal, admin, token_id, expire_time, state, disable_time, next_time, attempts, last_error"

absl::StatusOr<LeaseRecord> ReadLease(Statement& row) {
  const std::string portal = row.TakeText();
  const std::int64_t admin = row.TakeInteger();
  ASSIGN_OR_RETURN(TokenName token, TokenFromColumns(portal, admin, row.TakeInteger()));
  LeaseRecord lease{.token = std::move(token)};
  lease.expire_time = row.TakeTime();
  if (!FromColumn(row.TakeText(), lease.state)) return BadRow();
  lease.disable_time = row.TakeOptionalTime();
  lease.next_time = row.TakeTime();
  lease.attempts = static_cast<int>(std::min<std::int64_t>(row.TakeInteger(), std::numeric_limits<int>::max()));
  lease.last_error = row.TakeText();
  return lease;
}

absl::StatusOr<std::vector<LeaseRecord>> ReadLeases(Statement& select) {
  std::vector<LeaseRecord> leases;
  while (true) {
    ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return leases;
    ASSIGN_OR_RETURN(LeaseRecord lease, ReadLease(select));
    leases.push_back(std::move(lease));
  }
}

Statement& BindName(Statement& statement, const TokenName& token) {
  return statement.Text(token.portal().id()).Integer(token.admin().id()).Integer(token.id());
}

// All columns but the name.
Statement& BindValues(Statement& statement, const LeaseRecord& lease) {
  return statement.Time(lease.expire_time)
      .Text(ToColumn(lease.state))
      .OptionalTime(lease.disable_time)
      .Time(lease.next_time)
      .Integer(lease.attempts)
      .Text(lease.last_error);
}

}  // namespace

absl::Status InsertLeaseRow(const Database& database, const LeaseRecord& lease) {
  ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT INTO leases (" LMBROKER_LEASE_COLUMNS
                                                      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  return BindValues(BindName(insert, lease.token), lease).Run();
}

absl::StatusOr<std::optional<LeaseRecord>> GetLeaseRow(const Database& database, const TokenName& token) {
  ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT " LMBROKER_LEASE_COLUMNS
                                                      " FROM leases WHERE portal = ? AND admin = ? AND token_id = ?"));
  ASSIGN_OR_RETURN(const bool found, BindName(select, token).Step());
  if (!found) return std::nullopt;
  ASSIGN_OR_RETURN(LeaseRecord lease, ReadLease(select));
  return lease;
}

absl::StatusOr<std::vector<LeaseRecord>> ListLeaseRows(const Database& database, const LeaseSelection& selection) {
  ASSIGN_OR_RETURN(Statement select,
                   database.Prepare("SELECT " LMBROKER_LEASE_COLUMNS
                                    " FROM leases WHERE (portal = ?1 OR ?1 IS NULL) AND (state = 'STUCK' OR ?2 = 0) "
                                    "AND (portal, admin, token_id) > (?3, ?4, ?5) "
                                    "ORDER BY portal, admin, token_id LIMIT ?6"));
  const std::optional<TokenName>& after = selection.after;
  select.OptionalText(selection.portal.has_value() ? std::optional(selection.portal->id()) : std::nullopt)
      .Integer(selection.stuck_only ? 1 : 0)
      .Text(after.has_value() ? after->portal().id() : "")
      .Integer(after.has_value() ? after->admin().id() : 0)
      .Integer(after.has_value() ? after->id() : 0)
      .Integer(selection.most.value_or(-1));  // SQLite's word for all
  return ReadLeases(select);
}

absl::StatusOr<std::vector<LeaseRecord>> ListDueLeaseRows(const Database& database, const PortalName& portal,
                                                          LeaseState state, absl::Time now, int most) {
  ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT " LMBROKER_LEASE_COLUMNS
                                                      " FROM leases WHERE portal = ? AND state = ? AND next_time <= ? "
                                                      "ORDER BY next_time, admin, token_id LIMIT ?"));
  select.Text(portal.id()).Text(ToColumn(state)).Time(now).Integer(most);
  return ReadLeases(select);
}

absl::StatusOr<std::int64_t> CountStuckLeaseRows(const Database& database, const PortalName& portal) {
  ASSIGN_OR_RETURN(Statement count,
                   database.Prepare("SELECT count(*) FROM leases WHERE portal = ? AND state = 'STUCK'"));
  ASSIGN_OR_RETURN(const bool has_row, count.Text(portal.id()).Step());
  return has_row ? count.TakeInteger() : 0;
}

absl::Status UpdateLeaseRow(const Database& database, const LeaseRecord& lease) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE leases SET expire_time = ?, state = ?, disable_time = ?, next_time = ?, "
                                    "attempts = ?, last_error = ? WHERE portal = ? AND admin = ? AND token_id = ?"));
  RETURN_IF_ERROR(BindName(BindValues(update, lease), lease.token).Run());
  return database.changes() == 1 ? absl::OkStatus() : NoLease(lease.token);
}

absl::Status DeleteLeaseRow(const Database& database, const TokenName& token) {
  ASSIGN_OR_RETURN(Statement remove,
                   database.Prepare("DELETE FROM leases WHERE portal = ? AND admin = ? AND token_id = ?"));
  return BindName(remove, token).Run();
}

}  // namespace lmbroker::store
