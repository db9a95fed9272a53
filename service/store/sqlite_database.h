#pragma once

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/store/sqlite_statement.h"
#include "service/store/store_lock.h"

namespace lmbroker::store {

// The broker's SQLite file, open for changes by this process alone; others may read it. Not synchronised.
class Database {
 public:
  // Opens `path`, or creates it with mode 0600 and the newest schema. What is there already is not changed. Waits up to
  // `wait` for another process to leave it. FAILED_PRECONDITION with the path and the problem, and the file as it was:
  // it is not private, in use, not a database of lmbroker, damaged, or of a later version.
  static absl::StatusOr<Database> Open(const std::string& path, absl::Duration wait);

  // Opens it to look at it only, also while a broker has it open. The same errors, but for one that is in use.
  static absl::StatusOr<Database> OpenReadOnly(const std::string& path, absl::Duration wait);

  // From now on it may be changed: with a write-ahead log, which is moved into the file when it is closed.
  absl::Status AllowChanges() const;

  absl::StatusOr<Statement> Prepare(std::string_view sql) const { return Statement::Prepare(handle_.get(), sql); }
  // Runs one or more statements without values. STORE_UNAVAILABLE.
  absl::Status Execute(const char* sql) const;
  // Rows that the last INSERT, UPDATE or DELETE touched.
  int changes() const { return sqlite3_changes(handle_.get()); }
  bool InTransaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };

  Database(std::optional<StoreLock> lock, sqlite3* handle) : lock_(std::move(lock)), handle_(handle) {}
  static absl::StatusOr<Database> OpenWith(std::optional<StoreLock> lock, const std::string& path, int flags,
                                           absl::Duration wait);
  absl::Status Configure(absl::Duration wait) const;

  std::optional<StoreLock> lock_;  // let go of last
  std::unique_ptr<sqlite3, Close> handle_;
};

// A write transaction: undone when it dies before Commit.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(const Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;

  // Done and on disk when OK.
  absl::Status Commit();

 private:
  explicit Transaction(const Database& database) : database_(&database) {}

  const Database* database_;  // null once moved from or committed
};

}  // namespace lmbroker::store
