#include "service/store/rotation_rows.h"

#include <cstdint>
#include <string>
#include <utility>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/store/columns.h"

namespace lmbroker::store {
namespace {

// The columns of a row, in the order of ReadRotation.
#define LMBROKER_ROTATION_COLUMNS                                                                                    \
  "marker, portal, credential, admin, retiring_id, type, note, version, caller, rule, request_id, phase, token_id, " \
  "last_used_on, still_since, create_time"

absl::Status UnknownMarker() {
  return Refuse(Reason::kInternal, "The broker's store knows no rotation with this marker; this is a defect.");
}

absl::StatusOr<Rotation> ReadRotation(Statement& row) {
  std::string marker = row.TakeText();
  const std::string portal = row.TakeText();
  ASSIGN_OR_RETURN(CredentialName credential, CredentialFromColumns(portal, row.TakeText()));
  const std::int64_t admin = row.TakeInteger();
  ASSIGN_OR_RETURN(TokenName retiring, TokenFromColumns(portal, admin, row.TakeInteger()));
  Rotation rotation{.marker = std::move(marker), .credential = std::move(credential), .retiring = std::move(retiring)};
  if (!FromColumn(row.TakeText(), rotation.type)) return BadRow();
  rotation.note = row.TakeText();
  rotation.version = row.TakeInteger();
  rotation.caller = row.TakeText();
  rotation.rule = row.TakeText();
  rotation.request_id = row.TakeText();
  if (!FromColumn(row.TakeText(), rotation.phase)) return BadRow();
  if (const std::optional<std::int64_t> token = row.TakeOptionalInteger(); token.has_value()) {
    ASSIGN_OR_RETURN(rotation.token, TokenFromColumns(portal, admin, *token));
  }
  rotation.last_used_on = row.TakeOptionalTime();
  rotation.still_since = row.TakeOptionalTime();
  rotation.create_time = row.TakeTime();
  return rotation;
}

absl::Status OneChanged(const Database& database) {
  return database.changes() == 1 ? absl::OkStatus() : UnknownMarker();
}

}  // namespace

absl::Status InsertRotationRow(const Database& database, const Rotation& rotation) {
  ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT INTO rotations (" LMBROKER_ROTATION_COLUMNS ") VALUES "
                                                      "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, ?)"));
  insert.Text(rotation.marker)
      .Text(rotation.credential.portal().id())
      .Text(rotation.credential.id())
      .Integer(rotation.retiring.admin().id())
      .Integer(rotation.retiring.id())
      .Text(ToColumn(rotation.type))
      .Text(rotation.note)
      .Integer(rotation.version)
      .Text(rotation.caller)
      .Text(rotation.rule)
      .Text(rotation.request_id)
      .Text(ToColumn(rotation.phase))
      .Time(rotation.create_time);
  absl::Status status = insert.Run();
  if (!absl::IsAlreadyExists(status)) return status;
  return Refuse(Reason::kInternal,
                "The broker's store has this rotation, or another of its credential, already; this is a defect.");
}

absl::StatusOr<std::optional<Rotation>> FindRotationRow(const Database& database, std::string_view marker) {
  ASSIGN_OR_RETURN(Statement select,
                   database.Prepare("SELECT " LMBROKER_ROTATION_COLUMNS " FROM rotations WHERE marker = ?"));
  ASSIGN_OR_RETURN(const bool found, select.Text(marker).Step());
  if (!found) return std::nullopt;
  ASSIGN_OR_RETURN(Rotation rotation, ReadRotation(select));
  return rotation;
}

absl::StatusOr<Rotation> GetRotationRow(const Database& database, std::string_view marker) {
  ASSIGN_OR_RETURN(std::optional<Rotation> rotation, FindRotationRow(database, marker));
  if (!rotation.has_value()) return UnknownMarker();
  return *std::move(rotation);
}

absl::Status SetRotationStored(const Database& database, std::string_view marker, const TokenName& token) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE rotations SET phase = 'STORED', token_id = ? WHERE marker = ?"));
  RETURN_IF_ERROR(update.Integer(token.id()).Text(marker).Run());
  return OneChanged(database);
}

absl::Status SetRotationPromoted(const Database& database, std::string_view marker) {
  ASSIGN_OR_RETURN(Statement update, database.Prepare("UPDATE rotations SET phase = 'PROMOTED' WHERE marker = ?"));
  RETURN_IF_ERROR(update.Text(marker).Run());
  return OneChanged(database);
}

absl::Status SetRotationRetiring(const Database& database, std::string_view marker,
                                 const std::optional<absl::Time>& last_used_on, absl::Time still_since) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE rotations SET phase = 'RETIRING', last_used_on = ?, still_since = ? "
                                    "WHERE marker = ?"));
  RETURN_IF_ERROR(update.OptionalTime(last_used_on).Time(still_since).Text(marker).Run());
  return OneChanged(database);
}

absl::Status DeleteRotationRow(const Database& database, std::string_view marker) {
  ASSIGN_OR_RETURN(Statement remove, database.Prepare("DELETE FROM rotations WHERE marker = ?"));
  return remove.Text(marker).Run();
}

absl::StatusOr<std::vector<Rotation>> ListRotationRows(const Database& database) {
  ASSIGN_OR_RETURN(Statement select,
                   database.Prepare("SELECT " LMBROKER_ROTATION_COLUMNS " FROM rotations ORDER BY sequence"));
  std::vector<Rotation> rotations;
  while (true) {
    ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return rotations;
    ASSIGN_OR_RETURN(Rotation rotation, ReadRotation(select));
    rotations.push_back(std::move(rotation));
  }
}

}  // namespace lmbroker::store
