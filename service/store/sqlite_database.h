#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/store/sqlite_statement.h"

namespace lmbroker::store {

// The broker's SQLite file, open for this process alone. Not synchronised.
class Database {
 public:
  // Opens `path`, or creates it with mode 0600; brings its schema up to date. Waits up to `wait` for another process to
  // leave it. FAILED_PRECONDITION with the path and the problem, and the file as it was: it is not private, in use, not
  // a database of lmbroker, damaged, or of a later version.
  static absl::StatusOr<Database> Open(const std::string& path, absl::Duration wait);

  absl::StatusOr<Statement> Prepare(std::string_view sql) const { return Statement::Prepare(handle_.get(), sql); }
  // Runs one or more statements without values. STORE_UNAVAILABLE.
  absl::Status Execute(const char* sql) const;
  // Rows that the last INSERT, UPDATE or DELETE touched.
  int changes() const { return sqlite3_changes(handle_.get()); }
  bool InTransaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };

  explicit Database(sqlite3* handle) : handle_(handle) {}
  absl::Status Configure(absl::Duration wait) const;

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
