#pragma once

// A database as a stranger reads and changes it: with SQLite alone.

#include <sqlite3.h>

#include <optional>
#include <string>
#include <vector>

namespace lmbroker {

class RawDatabase {
 public:
  using Row = std::vector<std::string>;  // each value as a literal of SQL

  // For changes, by which no rule of the schema is minded.
  explicit RawDatabase(const std::string& path) : RawDatabase(path, SQLITE_OPEN_READWRITE) {
    (void)Run(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA ignore_check_constraints = ON; "
        "PRAGMA foreign_keys = OFF; PRAGMA writable_schema = ON;");
  }
  // To look at the file alone, without its log.
  static RawDatabase ReadOnly(const std::string& path) {
    return {"file:" + path + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI};
  }
  RawDatabase(const RawDatabase&) = delete;
  RawDatabase& operator=(const RawDatabase&) = delete;
  ~RawDatabase() { sqlite3_close_v2(handle_); }

  // Whether it could be run.
  bool Run(const std::string& sql) {
    return sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
  }
  int changes() { return sqlite3_changes(handle_); }

  // All rows; nothing when it could not be run to the end.
  std::optional<std::vector<Row>> Query(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) return std::nullopt;
    std::vector<Row> rows;
    int code = SQLITE_OK;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      Row& row = rows.emplace_back();
      for (int i = 0; i < sqlite3_column_count(statement); ++i) row.push_back(Literal(statement, i));
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? std::optional(std::move(rows)) : std::nullopt;
  }

  // All that the file says, as text; nothing when it cannot be read.
  std::optional<std::string> Dump() {
    const auto schema = Query("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name");
    const auto tables = Query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    const auto version = Query("PRAGMA user_version");
    if (!schema.has_value() || !tables.has_value() || !version.has_value()) return std::nullopt;
    std::string text = Text(*schema) + Text(*version);
    for (const Row& table : *tables) {
      const std::string name = table[0].substr(1, table[0].size() - 2);
      const auto rows = Query("SELECT * FROM \"" + name + "\"");
      if (!rows.has_value()) return std::nullopt;
      text += name + "\n" + Text(*rows);
    }
    return text;
  }

 private:
  RawDatabase(const std::string& path, int flags) { sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr); }

  static std::string Literal(sqlite3_stmt* statement, int column) {
    static constexpr char kHex[] = "0123456789abcdef";
    const int type = sqlite3_column_type(statement, column);
    if (type == SQLITE_NULL) return "NULL";
    if (type == SQLITE_INTEGER) return std::to_string(sqlite3_column_int64(statement, column));
    const auto* const data = static_cast<const unsigned char*>(sqlite3_column_blob(statement, column));
    const int size = sqlite3_column_bytes(statement, column);
    std::string literal = type == SQLITE_BLOB ? "x'" : "'";
    for (int i = 0; i < size; ++i) {
      if (type == SQLITE_BLOB) {
        literal += kHex[data[i] >> 4U];
        literal += kHex[data[i] & 15U];
      } else {
        if (data[i] == '\'') literal += '\'';
        literal += static_cast<char>(data[i]);
      }
    }
    return literal + "'";
  }

  static std::string Text(const std::vector<Row>& rows) {
    std::string text;
    for (const Row& row : rows) {
      for (const std::string& value : row) text += value + "|";
      text += "\n";
    }
    return text;
  }

  sqlite3* handle_ = nullptr;
};

}  // namespace lmbroker
