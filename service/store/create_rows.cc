#include "service/store/create_rows.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/store/columns.h"

namespace lmbroker::store {
namespace {

// The columns of a row, in the order of ReadCreate.
#define LMBROKER_CREATE_COLUMNS \
  "marker, portal, admin, type, note, status, hand_over, credential, caller, phase, token_id, create_time"

absl::Status UnknownMarker() {
  return Refuse(Reason::kInternal, "The broker's store knows no create with this marker; this is a defect.");
}

absl::StatusOr<CreateIntent> ReadCreate(Statement& row) {
  std::string marker = row.TakeText();
  const std::string portal = row.TakeText();
  ASSIGN_OR_RETURN(AdminName admin, AdminFromColumns(portal, row.TakeInteger()));
  CreateIntent intent{.marker = std::move(marker), .admin = std::move(admin)};
  if (!FromColumn(row.TakeText(), intent.type)) return BadRow();
  intent.note = row.TakeText();
  if (!FromColumn(row.TakeText(), intent.status)) return BadRow();
  intent.hand_over = row.TakeInteger() != 0;
  if (const std::optional<std::string> credential = row.TakeOptionalText(); credential.has_value()) {
    ASSIGN_OR_RETURN(intent.credential, CredentialFromColumns(portal, *credential));
  }
  intent.caller = row.TakeText();
  if (!FromColumn(row.TakeText(), intent.phase)) return BadRow();
  if (const std::optional<std::int64_t> token = row.TakeOptionalInteger(); token.has_value()) {
    ASSIGN_OR_RETURN(intent.token, TokenFromColumns(portal, intent.admin.id(), *token));
  }
  intent.create_time = row.TakeTime();
  return intent;
}

}  // namespace

absl::Status InsertCreateRow(const Database& database, const CreateIntent& intent) {
  ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT INTO creates (" LMBROKER_CREATE_COLUMNS
                                                      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)"));
  insert.Text(intent.marker)
      .Text(intent.admin.portal().id())
      .Integer(intent.admin.id())
      .Text(ToColumn(intent.type))
      .Text(intent.note)
      .Text(ToColumn(intent.status))
      .Integer(intent.hand_over ? 1 : 0)
      .OptionalText(intent.credential.has_value() ? std::optional(intent.credential->id()) : std::nullopt)
      .Text(intent.caller)
      .Text(ToColumn(intent.phase))
      .Time(intent.create_time);
  absl::Status status = insert.Run();
  if (!absl::IsAlreadyExists(status)) return status;
  return Refuse(Reason::kInternal, "The broker's store has a create with this marker already; this is a defect.");
}

absl::StatusOr<CreateIntent> GetCreateRow(const Database& database, std::string_view marker) {
  ASSIGN_OR_RETURN(Statement select,
                   database.Prepare("SELECT " LMBROKER_CREATE_COLUMNS " FROM creates WHERE marker = ?"));
  ASSIGN_OR_RETURN(const bool found, select.Text(marker).Step());
  if (!found) return UnknownMarker();
  return ReadCreate(select);
}

absl::Status SetCreateCommitted(const Database& database, std::string_view marker, const TokenName& token) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE creates SET phase = 'COMMITTED', token_id = ? WHERE marker = ?"));
  RETURN_IF_ERROR(update.Integer(token.id()).Text(marker).Run());
  return database.changes() == 1 ? absl::OkStatus() : UnknownMarker();
}

absl::Status SetCreatePhase(const Database& database, std::string_view marker, CreatePhase phase) {
  ASSIGN_OR_RETURN(Statement update, database.Prepare("UPDATE creates SET phase = ? WHERE marker = ?"));
  RETURN_IF_ERROR(update.Text(ToColumn(phase)).Text(marker).Run());
  return database.changes() == 1 ? absl::OkStatus() : UnknownMarker();
}

absl::StatusOr<std::int64_t> CountTokensOfCaller(const Database& database, std::string_view caller) {
  ASSIGN_OR_RETURN(Statement count,
                   database.Prepare("SELECT count(*) FROM creates AS c WHERE c.caller = ? AND (c.phase = 'INTENDED' OR "
                                    "(c.phase IN ('COMMITTED', 'FINISHED') AND EXISTS (SELECT 1 FROM tokens AS t WHERE "
                                    "t.portal = c.portal AND t.admin = c.admin AND t.id = c.token_id)))"));
  ASSIGN_OR_RETURN(const bool has_row, count.Text(caller).Step());
  return has_row ? count.TakeInteger() : 0;
}

absl::Status MoveCreateRow(const Database& database, const TokenName& from, const TokenName& to) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE creates SET token_id = ? WHERE portal = ? AND admin = ? AND token_id = ?"));
  return update.Integer(to.id()).Text(from.portal().id()).Integer(from.admin().id()).Integer(from.id()).Run();
}

absl::StatusOr<std::vector<CreateIntent>> ListOpenCreateRows(const Database& database) {
  ASSIGN_OR_RETURN(Statement select,
                   database.Prepare("SELECT " LMBROKER_CREATE_COLUMNS
                                    " FROM creates WHERE phase IN ('INTENDED', 'COMMITTED') ORDER BY sequence"));
  std::vector<CreateIntent> intents;
  while (true) {
    ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return intents;
    ASSIGN_OR_RETURN(CreateIntent intent, ReadCreate(select));
    intents.push_back(std::move(intent));
  }
}

}  // namespace lmbroker::store
