#include "service/store/change_watch.h"

#include <string>

#include "service/base/error.h"
#include "service/store/integrity_row.h"
#include "service/store/row_bytes.h"

namespace lmbroker::store {

ChangeWatch::ChangeWatch(const Database& database, const StoreKey& key) : database_(database), key_(key) {
  sqlite3_preupdate_hook(database_.handle(), &ChangeWatch::Told, this);
}

ChangeWatch::~ChangeWatch() { sqlite3_preupdate_hook(database_.handle(), nullptr, nullptr); }

void ChangeWatch::Begin(TableSums sums) {
  sums_ = std::move(sums);
  changed_ = false;
  lost_ = false;
}

absl::StatusOr<TableSums> ChangeWatch::Sums() const {
  if (!lost_) return sums_;
  return Refuse(Reason::kInternal, "The broker's store changed a row that it could not account for; nothing was kept.");
}

void ChangeWatch::Told(void* self, sqlite3* database, int operation, const char* schema, const char* table,
                       sqlite3_int64 /*old_rowid*/, sqlite3_int64 /*new_rowid*/) {
  // Temporary tables of SQLite's own are nothing that is kept.
  if (std::string_view(schema) != "main" || std::string_view(table) == kIntegrityTable) return;
  static_cast<ChangeWatch*>(self)->Take(database, operation, table);
}

void ChangeWatch::Take(sqlite3* database, int operation, std::string_view table) {
  changed_ = true;
  const auto found = sums_.find(table);
  bool taken = found != sums_.end();
  if (taken && operation != SQLITE_INSERT) taken = Subtract(database, table, found->second);
  if (taken && operation != SQLITE_DELETE) taken = Add(database, table, found->second);
  if (!taken) lost_ = true;
}

bool ChangeWatch::Subtract(sqlite3* database, std::string_view table, TableSum& sum) {
  std::string row;
  for (int column = 0; column < sqlite3_preupdate_count(database); ++column) {
    sqlite3_value* value = nullptr;
    if (sqlite3_preupdate_old(database, column, &value) != SQLITE_OK) return false;
    AppendColumn(row, value);
  }
  sum.SubtractRow(key_.OfRow(table, row));
  return true;
}

bool ChangeWatch::Add(sqlite3* database, std::string_view table, TableSum& sum) {
  std::string row;
  for (int column = 0; column < sqlite3_preupdate_count(database); ++column) {
    sqlite3_value* value = nullptr;
    if (sqlite3_preupdate_new(database, column, &value) != SQLITE_OK) return false;
    AppendColumn(row, value);
  }
  sum.AddRow(key_.OfRow(table, row));
  return true;
}

}  // namespace lmbroker::store
