#include "service/store/value_rows.h"

#include <cstdint>
#include <limits>
#include <utility>

#include "service/base/status_macros.h"
#include "service/store/columns.h"

namespace lmbroker::store {
namespace {

// The columns `sealed`, `key_version`.
absl::StatusOr<SealedSecret> ReadSealed(Statement& row) {
  SealedSecret secret{.bytes = row.TakeBlob()};
  const std::int64_t key_version = row.TakeInteger();
  if (key_version < 0 || key_version > std::numeric_limits<std::uint32_t>::max()) return BadRow();
  secret.key_version = static_cast<std::uint32_t>(key_version);
  return secret;
}

}  // namespace

absl::StatusOr<std::vector<SealedValue>> ListSealedValueRows(const Database& database) {
  ASSIGN_OR_RETURN(Statement select,
                   database.Prepare("SELECT name, sealed, key_version FROM sealed_values ORDER BY name"));
  std::vector<SealedValue> values;
  while (true) {
    ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return values;
    SealedValue value{.name = select.TakeText()};
    ASSIGN_OR_RETURN(value.secret, ReadSealed(select));
    values.push_back(std::move(value));
  }
}

absl::StatusOr<std::optional<SealedSecret>> GetSealedValueRow(const Database& database, std::string_view name) {
  ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT sealed, key_version FROM sealed_values WHERE name = ?"));
  ASSIGN_OR_RETURN(const bool found, select.Text(name).Step());
  if (!found) return std::nullopt;
  return ReadSealed(select);
}

absl::Status PutSealedValueRow(const Database& database, const SealedValue& value) {
  ASSIGN_OR_RETURN(Statement put,
                   database.Prepare("INSERT INTO sealed_values (name, sealed, key_version) VALUES (?, ?, ?) ON "
                                    "CONFLICT DO UPDATE SET sealed = excluded.sealed, key_version = "
                                    "excluded.key_version"));
  return put.Text(value.name).Blob(value.secret.bytes).Integer(value.secret.key_version).Run();
}

absl::Status ReplaceSealedValueRow(const Database& database, const SealedValue& value) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE sealed_values SET sealed = ?, key_version = ? WHERE name = ?"));
  return update.Blob(value.secret.bytes).Integer(value.secret.key_version).Text(value.name).Run();
}

absl::Status DeleteSealedValueRow(const Database& database, std::string_view name) {
  ASSIGN_OR_RETURN(Statement remove, database.Prepare("DELETE FROM sealed_values WHERE name = ?"));
  return remove.Text(name).Run();
}

absl::StatusOr<std::optional<std::string>> GetSettingRow(const Database& database, std::string_view name) {
  ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT value FROM settings WHERE name = ?"));
  ASSIGN_OR_RETURN(const bool found, select.Text(name).Step());
  if (!found) return std::nullopt;
  return select.TakeText();
}

absl::Status PutSettingRow(const Database& database, std::string_view name, std::string_view value) {
  ASSIGN_OR_RETURN(Statement put, database.Prepare("INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT DO "
                                                   "UPDATE SET value = excluded.value"));
  return put.Text(name).Text(value).Run();
}

absl::Status DeleteSettingRow(const Database& database, std::string_view name) {
  ASSIGN_OR_RETURN(Statement remove, database.Prepare("DELETE FROM settings WHERE name = ?"));
  return remove.Text(name).Run();
}

}  // namespace lmbroker::store
