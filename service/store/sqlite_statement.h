#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

namespace lmbroker::store {

// STORE_UNAVAILABLE with what SQLite's result `code` means. Never the message of the connection, which could quote
// data.
absl::Status SqliteFailure(int code);

// One prepared statement and one run of it. Parameters are bound, and columns read, from left to right, so the order
// in the SQL text is the order in the code. Not synchronised.
class Statement {
 public:
  // `sql` is a constant of the program: values come in as parameters only.
  static absl::StatusOr<Statement> Prepare(sqlite3* database, std::string_view sql);

  // The next parameter. A failure is kept for Step.
  Statement& Integer(std::int64_t value);
  Statement& Text(std::string_view value);
  Statement& Blob(std::string_view value);
  Statement& Time(absl::Time value);
  Statement& OptionalInteger(std::optional<std::int64_t> value);
  Statement& OptionalText(const std::optional<std::string>& value);
  Statement& OptionalTime(std::optional<absl::Time> value);

  // Goes on to the next row: false when there is none left. ALREADY_EXISTS when a key or a unique column is taken;
  // INTERNAL when another rule of the schema forbids the values; else STORE_UNAVAILABLE.
  absl::StatusOr<bool> Step();
  // For statements without rows.
  absl::Status Run();

  // The next column of the row. Of a null, or of another type than the schema promises, the optional ones give nothing
  // and the others zero or empty: who reads a row checks what it makes of it.
  std::int64_t TakeInteger();
  std::string TakeText();
  std::string TakeBlob();
  absl::Time TakeTime();
  std::optional<std::int64_t> TakeOptionalInteger();
  std::optional<std::string> TakeOptionalText();
  std::optional<absl::Time> TakeOptionalTime();

  // All columns of the row, whatever was taken of it, in an encoding that no two rows share.
  std::string RowBytes() const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Statement& Null();
  Statement& Keep(int code);
  bool NextIsNull() const;

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_failure_ = SQLITE_OK;
  int parameter_ = 0;
  int column_ = 0;
};

}  // namespace lmbroker::store
