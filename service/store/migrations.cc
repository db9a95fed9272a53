#include "service/store/migrations.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "service/base/status_macros.h"
#include "service/store/sqlite_database.h"

namespace lmbroker::store {
namespace {

// Step N makes version N. Never changed once released, only added to: files of every released version are out there.
//
// Times are microseconds since the Unix epoch. A credential's and a create's token belongs to their own portal.
constexpr std::array kSteps = {
    R"sql(
PRAGMA application_id = 0x4C4D626B;
PRAGMA user_version = 1;

CREATE TABLE credentials (
  portal        TEXT    NOT NULL,
  id            TEXT    NOT NULL,
  type          TEXT    NOT NULL CHECK (type IN ('LMV1', 'BEARER')),
  access_id     TEXT    NOT NULL,
  master        INTEGER NOT NULL CHECK (master IN (0, 1)),
  status        TEXT    NOT NULL CHECK (status IN ('DISABLED', 'ENABLED')),
  state         TEXT    NOT NULL CHECK (state IN ('ACTIVE', 'QUARANTINED', 'ROTATING')),
  token_admin   INTEGER,
  token_id      INTEGER,
  version       INTEGER NOT NULL CHECK (version > 0),
  create_time   INTEGER NOT NULL,
  rotate_time   INTEGER,
  last_use_time INTEGER,
  sealed        BLOB    NOT NULL,
  key_version   INTEGER NOT NULL,
  PRIMARY KEY (portal, id),
  CHECK ((token_admin IS NULL) = (token_id IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX credentials_by_token ON credentials (portal, token_admin, token_id);

CREATE TABLE tokens (
  portal        TEXT    NOT NULL,
  admin         INTEGER NOT NULL,
  id            INTEGER NOT NULL,
  type          TEXT    NOT NULL CHECK (type IN ('LMV1', 'BEARER')),
  custody       TEXT    NOT NULL CHECK (custody IN ('BROKER', 'HANDED_OVER')),
  credential    TEXT,
  access_id     TEXT    NOT NULL,
  create_time   INTEGER NOT NULL,
  PRIMARY KEY (portal, admin, id),
  FOREIGN KEY (portal, credential) REFERENCES credentials (portal, id),
  CHECK (custody = 'BROKER' OR credential IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_credential ON tokens (portal, credential);

CREATE TABLE creates (
  sequence      INTEGER PRIMARY KEY,
  marker        TEXT    NOT NULL UNIQUE,
  portal        TEXT    NOT NULL,
  admin         INTEGER NOT NULL,
  type          TEXT    NOT NULL CHECK (type IN ('LMV1', 'BEARER')),
  note          TEXT    NOT NULL,
  status        TEXT    NOT NULL CHECK (status IN ('DISABLED', 'ENABLED')),
  hand_over     INTEGER NOT NULL CHECK (hand_over IN (0, 1)),
  credential    TEXT,
  caller        TEXT    NOT NULL,
  phase         TEXT    NOT NULL CHECK (phase IN ('INTENDED', 'COMMITTED', 'FINISHED', 'ABANDONED')),
  token_id      INTEGER,
  create_time   INTEGER NOT NULL
) STRICT;
CREATE INDEX creates_open ON creates (sequence) WHERE phase IN ('INTENDED', 'COMMITTED');
)sql",
    // Version 2 knows its own integrity. `integrity` has one row once the store was first opened with a key.
    R"sql(
PRAGMA user_version = 2;

CREATE TABLE sealed_values (
  name          TEXT    NOT NULL PRIMARY KEY,
  sealed        BLOB    NOT NULL,
  key_version   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
  name          TEXT    NOT NULL PRIMARY KEY,
  value         TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE integrity (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  store_id      BLOB    NOT NULL,
  counter       INTEGER NOT NULL CHECK (counter > 0),
  nonce         BLOB    NOT NULL,
  sums          BLOB    NOT NULL,
  hash          BLOB    NOT NULL
) STRICT;

CREATE INDEX creates_by_caller ON creates (caller, phase);
)sql",
    // Version 3 rotates credentials (the retiring and the new token are of one admin) and leases tokens (`next_time` is
    // when the next step of the state is due).
    R"sql(
PRAGMA user_version = 3;

CREATE TABLE rotations (
  sequence      INTEGER PRIMARY KEY,
  marker        TEXT    NOT NULL UNIQUE,
  portal        TEXT    NOT NULL,
  credential    TEXT    NOT NULL,
  admin         INTEGER NOT NULL,
  retiring_id   INTEGER NOT NULL,
  type          TEXT    NOT NULL CHECK (type IN ('LMV1', 'BEARER')),
  note          TEXT    NOT NULL,
  version       INTEGER NOT NULL CHECK (version > 1),
  caller        TEXT    NOT NULL,
  rule          TEXT    NOT NULL,
  request_id    TEXT    NOT NULL,
  phase         TEXT    NOT NULL CHECK (phase IN ('INTENDED', 'STORED', 'PROMOTED', 'RETIRING')),
  token_id      INTEGER,
  last_used_on  INTEGER,
  still_since   INTEGER,
  create_time   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX rotations_live ON rotations (portal, credential) WHERE phase IN ('INTENDED', 'STORED', 'PROMOTED');

CREATE TABLE leases (
  portal        TEXT    NOT NULL,
  admin         INTEGER NOT NULL,
  token_id      INTEGER NOT NULL,
  expire_time   INTEGER NOT NULL,
  state         TEXT    NOT NULL CHECK (state IN ('ACTIVE', 'DISABLED', 'STUCK')),
  disable_time  INTEGER,
  next_time     INTEGER NOT NULL,
  attempts      INTEGER NOT NULL CHECK (attempts >= 0),
  last_error    TEXT    NOT NULL,
  PRIMARY KEY (portal, admin, token_id),
  FOREIGN KEY (portal, admin, token_id) REFERENCES tokens (portal, admin, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_due ON leases (portal, state, next_time);
)sql",
};
static_assert(kSteps.size() == kNewestVersion);

absl::StatusOr<std::int64_t> ReadInteger(const Database& database, std::string_view sql) {
  ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  ASSIGN_OR_RETURN(const bool has_row, statement.Step());
  return has_row ? statement.TakeInteger() : 0;
}

}  // namespace

absl::StatusOr<std::int64_t> SchemaVersion(const Database& database) {
  return ReadInteger(database, "PRAGMA user_version");
}

absl::Status CheckIdentity(const Database& database) {
  ASSIGN_OR_RETURN(const std::int64_t application, ReadInteger(database, "PRAGMA application_id"));
  ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(database));
  ASSIGN_OR_RETURN(const std::int64_t objects, ReadInteger(database, "SELECT count(*) FROM sqlite_schema"));
  const bool empty = application == 0 && version == 0 && objects == 0;
  if (!empty && (application != kApplicationId || version < 1)) {
    return absl::InvalidArgumentError("is not a database of lmbroker, and was not touched");
  }
  if (version > kNewestVersion) {
    return absl::InvalidArgumentError(
        fmt::format("has schema version {}, this program knows {} at most; it was not touched: run a later lmbroker",
                    version, kNewestVersion));
  }
  return absl::OkStatus();
}

absl::Status Migrate(const Database& database) {
  ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(database));
  for (std::size_t step = static_cast<std::size_t>(version); step < kSteps.size(); ++step) {
    RETURN_IF_ERROR(database.Execute(kSteps.at(step)));
  }
  return absl::OkStatus();
}

}  // namespace lmbroker::store
