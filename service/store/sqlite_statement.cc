#include "service/store/sqlite_statement.h"

#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/store/row_bytes.h"

namespace lmbroker::store {
namespace {

// A null pointer would bind NULL instead of an empty value.
const char* Data(std::string_view value) { return value.empty() ? "" : value.data(); }

}  // namespace

absl::Status SqliteFailure(int code) {
  if (const int kind = code & 0xFF; kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB) {
    return Refuse(Reason::kStoreUnavailable,
                  fmt::format("The broker's database is damaged ({}, SQLite code {}); restore a backup with `lmbrokerd "
                              "restore`.",
                              sqlite3_errstr(code), code));
  }
  return Refuse(Reason::kStoreUnavailable,
                fmt::format("The broker's store failed ({}, SQLite code {}); nothing was changed, retry when its disk "
                            "is well.",
                            sqlite3_errstr(code), code));
}

absl::StatusOr<Statement> Statement::Prepare(sqlite3* database, std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return SqliteFailure(code);
  return Statement(statement);
}

Statement& Statement::Keep(int code) {
  if (bind_failure_ == SQLITE_OK) bind_failure_ = code;
  return *this;
}

Statement& Statement::Null() { return Keep(sqlite3_bind_null(statement_.get(), ++parameter_)); }

Statement& Statement::Integer(std::int64_t value) {
  return Keep(sqlite3_bind_int64(statement_.get(), ++parameter_, value));
}

Statement& Statement::Text(std::string_view value) {
  return Keep(
      sqlite3_bind_text64(statement_.get(), ++parameter_, Data(value), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

Statement& Statement::Blob(std::string_view value) {
  return Keep(sqlite3_bind_blob64(statement_.get(), ++parameter_, Data(value), value.size(), SQLITE_TRANSIENT));
}

Statement& Statement::Time(absl::Time value) { return Integer(absl::ToUnixMicros(value)); }

Statement& Statement::OptionalInteger(std::optional<std::int64_t> value) {
  return value.has_value() ? Integer(*value) : Null();
}

Statement& Statement::OptionalText(const std::optional<std::string>& value) {
  return value.has_value() ? Text(*value) : Null();
}

Statement& Statement::OptionalTime(std::optional<absl::Time> value) {
  return value.has_value() ? Time(*value) : Null();
}

absl::StatusOr<bool> Statement::Step() {
  if (bind_failure_ != SQLITE_OK) return SqliteFailure(bind_failure_);
  column_ = 0;
  const int code = sqlite3_step(statement_.get());
  switch (code) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_UNIQUE:
      return absl::AlreadyExistsError("the key is taken");
    default:
      break;
  }
  if ((code & 0xFF) != SQLITE_CONSTRAINT) return SqliteFailure(code);
  return Refuse(Reason::kInternal, fmt::format("The broker's store refused a record of its own ({}); this is a defect.",
                                               sqlite3_errstr(code)));
}

absl::Status Statement::Run() { return Step().status(); }

bool Statement::NextIsNull() const { return sqlite3_column_type(statement_.get(), column_) == SQLITE_NULL; }

std::int64_t Statement::TakeInteger() { return sqlite3_column_int64(statement_.get(), column_++); }

std::string Statement::TakeText() { return TakeBlob(); }

std::string Statement::TakeBlob() {
  const void* const data = sqlite3_column_blob(statement_.get(), column_);
  const int size = sqlite3_column_bytes(statement_.get(), column_);
  ++column_;
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

absl::Time Statement::TakeTime() { return absl::FromUnixMicros(TakeInteger()); }

std::optional<std::int64_t> Statement::TakeOptionalInteger() {
  const bool null = NextIsNull();
  const std::int64_t value = TakeInteger();
  return null ? std::nullopt : std::optional(value);
}

std::optional<std::string> Statement::TakeOptionalText() {
  const bool null = NextIsNull();
  std::string value = TakeText();
  return null ? std::nullopt : std::optional(std::move(value));
}

std::string Statement::RowBytes() const {
  std::string row;
  const int columns = sqlite3_data_count(statement_.get());
  for (int column = 0; column < columns; ++column) AppendColumn(row, statement_.get(), column);
  return row;
}

std::optional<absl::Time> Statement::TakeOptionalTime() {
  const bool null = NextIsNull();
  const absl::Time value = TakeTime();
  return null ? std::nullopt : std::optional(value);
}

}  // namespace lmbroker::store
