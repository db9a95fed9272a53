#include "service/store/sqlite_database.h"

#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/crypto/private_file.h"
#include "service/store/migrations.h"

namespace lmbroker::store {
namespace {

constexpr std::uintmax_t kLeastBytes = 512;  // SQLite takes a shorter file for an empty one

absl::Status EnsurePrivateFile(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    const absl::Status created = crypto::CreatePrivateFile(path, "");
    if (!created.ok() && !absl::IsAlreadyExists(created)) return created;
  }
  RETURN_IF_ERROR(crypto::CheckPrivateFile(path));
  const std::uintmax_t size = std::filesystem::file_size(path, ignored);
  if (size == 0 || size >= kLeastBytes) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format("{}: is not a database of lmbroker, and was not touched", path));
}

absl::Status CannotOpen(const std::string& path, const absl::Status& why) {
  return absl::FailedPreconditionError(fmt::format("{}: {}", path, ToStd(why.message())));
}

// Whether the pages of the file hang together, and its indexes agree with its tables. Costs a read of the file, which
// is small.
absl::Status CheckIntegrity(const Database& database) {
  ASSIGN_OR_RETURN(Statement check, database.Prepare("PRAGMA integrity_check(1)"));
  ASSIGN_OR_RETURN(const bool has_row, check.Step());
  if (has_row && check.TakeText() == "ok") return absl::OkStatus();
  return absl::DataLossError("is damaged; restore a backup with `lmbrokerd restore`");
}

// For a new file: an empty store can be looked at before it has a key.
absl::Status CreateSchema(const Database& database) {
  ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(database));
  if (version > 0) return absl::OkStatus();
  RETURN_IF_ERROR(database.AllowChanges());
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
  RETURN_IF_ERROR(Migrate(database));
  return transaction.Commit();
}

}  // namespace

absl::StatusOr<Database> Database::Open(const std::string& path, absl::Duration wait) {
  ASSIGN_OR_RETURN(StoreLock lock, StoreLock::Take(path, wait));
  RETURN_IF_ERROR(EnsurePrivateFile(path));
  ASSIGN_OR_RETURN(Database database, OpenWith(std::move(lock), path, SQLITE_OPEN_READWRITE, wait));
  if (const absl::Status status = CreateSchema(database); !status.ok()) return CannotOpen(path, status);
  return database;
}

absl::StatusOr<Database> Database::OpenReadOnly(const std::string& path, absl::Duration wait) {
  RETURN_IF_ERROR(crypto::CheckPrivateFile(path));
  return OpenWith(std::nullopt, path, SQLITE_OPEN_READONLY, wait);
}

absl::StatusOr<Database> Database::OpenWith(std::optional<StoreLock> lock, const std::string& path, int flags,
                                            absl::Duration wait) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(std::move(lock), handle);  // also owns what failed to open
  if (code != SQLITE_OK) return CannotOpen(path, SqliteFailure(code));
  if (const absl::Status status = database.Configure(wait); !status.ok()) return CannotOpen(path, status);
  return database;
}

absl::Status Database::Configure(absl::Duration wait) const {
  sqlite3* const handle = handle_.get();
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, static_cast<int>(absl::ToInt64Milliseconds(wait)));
  // A file that somebody prepared must not make SQLite run anything; and until we know that the file is ours, closing
  // it must not move its log into it.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  RETURN_IF_ERROR(Execute("PRAGMA cell_size_check = ON;"));
  RETURN_IF_ERROR(CheckIdentity(*this));
  RETURN_IF_ERROR(CheckIntegrity(*this));
  return Execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;");
}

absl::Status Database::AllowChanges() const {
  RETURN_IF_ERROR(Execute("PRAGMA journal_mode = WAL;"));
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  return absl::OkStatus();
}

absl::Status Database::Execute(const char* sql) const {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : SqliteFailure(code);
}

absl::StatusOr<Transaction> Transaction::Begin(const Database& database) {
  RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  // SQLite has undone it by itself after some failures of the disk.
  if (database_ != nullptr && database_->InTransaction()) (void)database_->Execute("ROLLBACK");
}

absl::Status Transaction::Commit() {
  RETURN_IF_ERROR(database_->Execute("COMMIT"));
  database_ = nullptr;
  return absl::OkStatus();
}

}  // namespace lmbroker::store
