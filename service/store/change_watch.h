#pragma once

#include <sqlite3.h>

#include <string_view>
#include <utility>

#include <absl/status/status.h>

#include "service/store/row_sum.h"
#include "service/store/sqlite_database.h"
#include "service/store/store_key.h"

namespace lmbroker::store {

// What the changes of a transaction do to the sums of the tables. SQLite itself tells of every row that goes or comes
// (sqlite3_preupdate_hook), so no statement can be forgotten. Changes of the schema are not told. Not synchronised; one
// at a time for a database.
class ChangeWatch {
 public:
  // Both must outlive the watch.
  ChangeWatch(const Database& database, const StoreKey& key);
  ~ChangeWatch();
  ChangeWatch(const ChangeWatch&) = delete;
  ChangeWatch& operator=(const ChangeWatch&) = delete;

  // Forgets what came before: the tables are as `sums` says.
  void Begin(TableSums sums);

  // What the tables are now. INTERNAL when a row was told of that could not be taken into account.
  absl::StatusOr<TableSums> Sums() const;
  bool changed() const { return changed_; }

 private:
  static void Told(void* self, sqlite3* database, int operation, const char* schema, const char* table,
                   sqlite3_int64 old_rowid, sqlite3_int64 new_rowid);
  void Take(sqlite3* database, int operation, std::string_view table);
  bool Subtract(sqlite3* database, std::string_view table, TableSum& sum);
  bool Add(sqlite3* database, std::string_view table, TableSum& sum);

  const Database& database_;
  const StoreKey& key_;
  TableSums sums_;
  bool changed_ = false;
  bool lost_ = false;  // some change is not in the sums
};

}  // namespace lmbroker::store
