#include "service/store/token_rows.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/store/columns.h"

namespace lmbroker::store {
namespace {

// The columns of a row, in the order of ReadToken.
#define LMBROKER_TOKEN_COLUMNS "portal, admin, id, type, custody, credential, access_id, create_time"

absl::StatusOr<TokenRecord> ReadToken(Statement& row) {
  const std::string portal = row.TakeText();
  const std::int64_t admin = row.TakeInteger();
  ASSIGN_OR_RETURN(TokenName name, TokenFromColumns(portal, admin, row.TakeInteger()));
  TokenRecord record{.name = std::move(name)};
  if (!FromColumn(row.TakeText(), record.type)) return BadRow();
  if (!FromColumn(row.TakeText(), record.custody)) return BadRow();
  if (const std::optional<std::string> credential = row.TakeOptionalText(); credential.has_value()) {
    ASSIGN_OR_RETURN(record.credential, CredentialFromColumns(portal, *credential));
  }
  record.access_id = row.TakeText();
  record.create_time = row.TakeTime();
  return record;
}

}  // namespace

absl::Status InsertTokenRow(const Database& database, const TokenRecord& record) {
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT INTO tokens (" LMBROKER_TOKEN_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
  insert.Text(record.name.portal().id())
      .Integer(record.name.admin().id())
      .Integer(record.name.id())
      .Text(ToColumn(record.type))
      .Text(ToColumn(record.custody))
      .OptionalText(record.credential.has_value() ? std::optional(record.credential->id()) : std::nullopt)
      .Text(record.access_id)
      .Time(record.create_time);
  absl::Status status = insert.Run();
  if (!absl::IsAlreadyExists(status)) return status;
  return Refuse(Reason::kInternal, fmt::format("The broker's store knows {} already, so LM cannot have just made it.",
                                               record.name.ToString()));
}

absl::StatusOr<TokenRecord> GetTokenRow(const Database& database, const TokenName& name) {
  ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT " LMBROKER_TOKEN_COLUMNS
                                                      " FROM tokens WHERE portal = ? AND admin = ? AND id = ?"));
  select.Text(name.portal().id()).Integer(name.admin().id()).Integer(name.id());
  ASSIGN_OR_RETURN(const bool found, select.Step());
  if (found) return ReadToken(select);
  return Refuse(Reason::kUnknownToken, fmt::format("The broker did not create {}.", name.ToString()));
}

absl::StatusOr<std::vector<TokenRecord>> ListTokenRows(const Database& database, const PortalName& portal) {
  ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT " LMBROKER_TOKEN_COLUMNS
                                                      " FROM tokens WHERE portal = ? ORDER BY admin, id"));
  select.Text(portal.id());
  std::vector<TokenRecord> records;
  while (true) {
    ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return records;
    ASSIGN_OR_RETURN(TokenRecord record, ReadToken(select));
    records.push_back(std::move(record));
  }
}

absl::Status DeleteTokenRow(const Database& database, const TokenName& name) {
  ASSIGN_OR_RETURN(Statement remove, database.Prepare("DELETE FROM tokens WHERE portal = ? AND admin = ? AND id = ?"));
  return remove.Text(name.portal().id()).Integer(name.admin().id()).Integer(name.id()).Run();
}

absl::Status BindTokenRow(const Database& database, const TokenName& name, const CredentialName& credential) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE tokens SET credential = ? WHERE portal = ? AND admin = ? AND id = ?"));
  RETURN_IF_ERROR(
      update.Text(credential.id()).Text(name.portal().id()).Integer(name.admin().id()).Integer(name.id()).Run());
  if (database.changes() == 1) return absl::OkStatus();
  return Refuse(Reason::kUnknownToken, fmt::format("The broker's store knows {} no more.", name.ToString()));
}

absl::Status UnbindTokenRows(const Database& database, const CredentialName& credential) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE tokens SET credential = NULL WHERE portal = ? AND credential = ?"));
  return update.Text(credential.portal().id()).Text(credential.id()).Run();
}

}  // namespace lmbroker::store
