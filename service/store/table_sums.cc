#include "service/store/table_sums.h"

#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/store/integrity_row.h"
#include "service/store/tampering.h"

namespace lmbroker::store {
namespace {

// As an identifier in SQL: the name may be a stranger's.
std::string Quoted(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

// All columns that count. Of the schema, where a table begins in the file does not.
std::string SelectFrom(std::string_view table) {
  if (table == kSchemaTable) return "SELECT type, name, tbl_name, sql FROM sqlite_schema";
  return fmt::format("SELECT * FROM {}", Quoted(table));
}

absl::StatusOr<std::vector<std::string>> TableNames(const Database& database) {
  ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT name FROM sqlite_schema WHERE type = 'table'"));
  std::vector<std::string> names;
  while (true) {
    ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return names;
    std::string name = select.TakeText();
    if (name != kIntegrityTable) names.push_back(std::move(name));
  }
}

absl::StatusOr<TableSum> SumTable(const Database& database, const StoreKey& key, std::string_view table) {
  ASSIGN_OR_RETURN(Statement select, database.Prepare(SelectFrom(table)));
  TableSum sum;
  while (true) {
    ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return sum;
    sum.AddRow(key.OfRow(table, select.RowBytes()));
  }
}

// The columns of the primary key, as SQL.
absl::StatusOr<std::vector<std::string>> KeyColumns(const Database& database, std::string_view table) {
  ASSIGN_OR_RETURN(Statement select,
                   database.Prepare("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"));
  select.Text(table);
  std::vector<std::string> columns;
  while (true) {
    ASSIGN_OR_RETURN(const bool has_row, select.Step());
    if (!has_row) return columns;
    columns.push_back(Quoted(select.TakeText()));
  }
}

// The key of the row without which the table would be as expected, if there is one.
absl::StatusOr<std::optional<std::string>> AddedRow(const Database& database, const StoreKey& key,
                                                    std::string_view table, const TableSum& found,
                                                    const TableSum& expected) {
  if (found.rows != expected.rows + 1) return std::nullopt;
  ASSIGN_OR_RETURN(const std::vector<std::string> columns, KeyColumns(database, table));
  const std::string order = fmt::format("{}", fmt::join(columns, ", "));
  ASSIGN_OR_RETURN(Statement rows, database.Prepare(fmt::format("{} ORDER BY {}", SelectFrom(table), order)));
  ASSIGN_OR_RETURN(Statement keys,
                   database.Prepare(fmt::format("SELECT {} FROM {} ORDER BY {}", fmt::join(columns, " || '/' || "),
                                                Quoted(table), order)));
  for (std::int64_t row = 0; row < found.rows; ++row) {
    RETURN_IF_ERROR(rows.Step().status());
    RETURN_IF_ERROR(keys.Step().status());
    TableSum without = found;
    without.SubtractRow(key.OfRow(table, rows.RowBytes()));
    if (without == expected) return keys.TakeText();
  }
  return std::nullopt;
}

absl::Status CompareTable(const Database& database, const StoreKey& key, std::string_view table,
                          const TableSum& expected) {
  ASSIGN_OR_RETURN(const TableSum found, SumTable(database, key, table));
  if (found == expected) return absl::OkStatus();
  if (table == kSchemaTable) return Tampered("its schema is not the one that the broker made");
  ASSIGN_OR_RETURN(const std::optional<std::string> added, AddedRow(database, key, table, found, expected));
  if (added.has_value()) {
    return Tampered(fmt::format("the table `{}` has a row that the broker did not write, {}", table, Excerpt(*added)));
  }
  if (found.rows == expected.rows) {
    return Tampered(fmt::format("of the {} rows of the table `{}` one or more are not as the broker wrote them",
                                found.rows, table));
  }
  return Tampered(
      fmt::format("the table `{}` has {} rows, and {} are what the broker wrote", table, found.rows, expected.rows));
}

}  // namespace

absl::StatusOr<TableSums> SumTables(const Database& database, const StoreKey& key) {
  ASSIGN_OR_RETURN(std::vector<std::string> tables, TableNames(database));
  tables.emplace_back(kSchemaTable);
  TableSums sums;
  for (std::string& table : tables) {
    ASSIGN_OR_RETURN(const TableSum sum, SumTable(database, key, table));
    sums.emplace(std::move(table), sum);
  }
  return sums;
}

absl::Status CompareTables(const Database& database, const StoreKey& key, const TableSums& expected) {
  // The schema first: once it is the broker's, so are the tables that the rest reads.
  const auto schema = expected.find(kSchemaTable);
  if (schema == expected.end()) return Tampered("its schema is not accounted for");
  RETURN_IF_ERROR(CompareTable(database, key, kSchemaTable, schema->second));
  for (const auto& [table, sum] : expected) {
    if (table != kSchemaTable) RETURN_IF_ERROR(CompareTable(database, key, table, sum));
  }
  return absl::OkStatus();
}

}  // namespace lmbroker::store
