#include "service/store/credential_rows.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/store/columns.h"

namespace lmbroker::store {
namespace {

// The columns of a row, in the order of ReadCredential.
#define LMBROKER_CREDENTIAL_COLUMNS                                                                                \
  "portal, id, type, access_id, master, status, state, token_admin, token_id, version, create_time, rotate_time, " \
  "last_use_time, sealed, key_version"

absl::Status UnknownCredential(const CredentialName& name) {
  return Refuse(Reason::kUnknownCredential,
                fmt::format("The broker has no credential {}; import it, or check the name.", name.ToString()));
}

absl::Status CredentialExists(const CredentialName& name) {
  return Refuse(Reason::kCredentialExists,
                fmt::format("The broker has a credential {} already; choose another id, or delete that one first.",
                            name.ToString()));
}

std::optional<std::int64_t> AdminOf(const std::optional<TokenName>& token) {
  return token.has_value() ? std::optional<std::int64_t>(token->admin().id()) : std::nullopt;
}

std::optional<std::int64_t> IdOf(const std::optional<TokenName>& token) {
  return token.has_value() ? std::optional<std::int64_t>(token->id()) : std::nullopt;
}

// Binds all columns but the name.
void BindValues(Statement& statement, const CredentialRecord& record) {
  statement.Text(ToColumn(record.type))
      .Text(record.access_id)
      .Integer(record.master ? 1 : 0)
      .Text(ToColumn(record.status))
      .Text(ToColumn(record.state))
      .OptionalInteger(AdminOf(record.token))
      .OptionalInteger(IdOf(record.token))
      .Integer(record.version)
      .Time(record.create_time)
      .OptionalTime(record.rotate_time)
      .OptionalTime(record.last_use_time)
      .Blob(record.secret.bytes)
      .Integer(record.secret.key_version);
}

absl::StatusOr<CredentialRecord> ReadCredential(Statement& row) {
  const std::string portal = row.TakeText();
  ASSIGN_OR_RETURN(CredentialName name, CredentialFromColumns(portal, row.TakeText()));
  CredentialRecord record{.name = std::move(name)};
  if (!FromColumn(row.TakeText(), record.type)) return BadRow();
  record.access_id = row.TakeText();
  record.master = row.TakeInteger() != 0;
  if (!FromColumn(row.TakeText(), record.status)) return BadRow();
  if (!FromColumn(row.TakeText(), record.state)) return BadRow();
  const std::optional<std::int64_t> token_admin = row.TakeOptionalInteger();
  const std::optional<std::int64_t> token_id = row.TakeOptionalInteger();
  if (token_admin.has_value() && token_id.has_value()) {
    ASSIGN_OR_RETURN(record.token, TokenFromColumns(portal, *token_admin, *token_id));
  }
  record.version = row.TakeInteger();
  record.create_time = row.TakeTime();
  record.rotate_time = row.TakeOptionalTime();
  record.last_use_time = row.TakeOptionalTime();
  record.secret.bytes = row.TakeBlob();
  const std::int64_t key_version = row.TakeInteger();
  if (key_version < 0 || key_version > std::numeric_limits<std::uint32_t>::max()) return BadRow();
  record.secret.key_version = static_cast<std::uint32_t>(key_version);
  return record;
}

}  // namespace

absl::Status InsertCredentialRow(const Database& database, const CredentialRecord& record) {
  ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT INTO credentials (" LMBROKER_CREDENTIAL_COLUMNS
                                                      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  insert.Text(record.name.portal().id()).Text(record.name.id());
  BindValues(insert, record);
  const absl::Status status = insert.Run();
  return absl::IsAlreadyExists(status) ? CredentialExists(record.name) : status;
}

absl::StatusOr<CredentialRecord> GetCredentialRow(const Database& database, const CredentialName& name) {
  ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT " LMBROKER_CREDENTIAL_COLUMNS
                                                      " FROM credentials WHERE portal = ? AND id = ?"));
  ASSIGN_OR_RETURN(const bool found, select.Text(name.portal().id()).Text(name.id()).Step());
  if (!found) return UnknownCredential(name);
  return ReadCredential(select);
}

absl::StatusOr<std::vector<CredentialRecord>> ListCredentialRows(const Database& database,
                                                                 const std::optional<PortalName>& portal) {
  ASSIGN_OR_RETURN(Statement select,
                   database.Prepare("SELECT " LMBROKER_CREDENTIAL_COLUMNS
                                    " FROM credentials WHERE portal = ?1 OR ?1 IS NULL ORDER BY portal, id"));
  select.OptionalText(portal.has_value() ? std::optional(portal->id()) : std::nullopt);
  std::vector<CredentialRecord> records;
  while (true) {
    ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return records;
    ASSIGN_OR_RETURN(CredentialRecord record, ReadCredential(select));
    records.push_back(std::move(record));
  }
}

absl::Status UpdateCredentialRow(const Database& database, const CredentialRecord& record) {
  ASSIGN_OR_RETURN(
      Statement update,
      database.Prepare("UPDATE credentials SET type = ?, access_id = ?, master = ?, status = ?, state = ?, "
                       "token_admin = ?, token_id = ?, version = ?, create_time = ?, rotate_time = ?, "
                       "last_use_time = ?, sealed = ?, key_version = ? WHERE portal = ? AND id = ?"));
  BindValues(update, record);
  RETURN_IF_ERROR(update.Text(record.name.portal().id()).Text(record.name.id()).Run());
  return database.changes() == 1 ? absl::OkStatus() : UnknownCredential(record.name);
}

absl::Status DeleteCredentialRow(const Database& database, const CredentialName& name) {
  ASSIGN_OR_RETURN(Statement remove, database.Prepare("DELETE FROM credentials WHERE portal = ? AND id = ?"));
  RETURN_IF_ERROR(remove.Text(name.portal().id()).Text(name.id()).Run());
  return database.changes() == 1 ? absl::OkStatus() : UnknownCredential(name);
}

absl::StatusOr<std::vector<CredentialName>> CredentialsOfToken(const Database& database, const TokenName& token) {
  ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT portal, id FROM credentials "
                                                      "WHERE portal = ? AND token_admin = ? AND token_id = ?"));
  select.Text(token.portal().id()).Integer(token.admin().id()).Integer(token.id());
  std::vector<CredentialName> names;
  while (true) {
    ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return names;
    const std::string portal = select.TakeText();
    ASSIGN_OR_RETURN(CredentialName name, CredentialFromColumns(portal, select.TakeText()));
    names.push_back(std::move(name));
  }
}

}  // namespace lmbroker::store
