#include "service/store/row_bytes.h"

#include <bit>
#include <cstddef>

namespace lmbroker::store {
namespace {

void AppendBytes(std::string& row, const void* data, int size) {
  AppendNumber(row, static_cast<std::uint64_t>(size));
  if (size > 0) row.append(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

}  // namespace

void AppendNumber(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xFFU);
}

std::uint64_t ReadNumber(std::string_view eight_bytes) {
  std::uint64_t value = 0;
  for (const char byte : eight_bytes) value = (value << 8U) | static_cast<std::uint8_t>(byte);
  return value;
}

void AppendColumn(std::string& row, sqlite3_stmt* statement, int column) {
  const int type = sqlite3_column_type(statement, column);
  row += static_cast<char>(type);
  if (type == SQLITE_INTEGER) {
    AppendNumber(row, static_cast<std::uint64_t>(sqlite3_column_int64(statement, column)));
  } else if (type == SQLITE_FLOAT) {
    AppendNumber(row, std::bit_cast<std::uint64_t>(sqlite3_column_double(statement, column)));
  } else if (type != SQLITE_NULL) {
    const void* const data = sqlite3_column_blob(statement, column);
    AppendBytes(row, data, sqlite3_column_bytes(statement, column));
  }
}

void AppendColumn(std::string& row, sqlite3_value* value) {
  const int type = sqlite3_value_type(value);
  row += static_cast<char>(type);
  if (type == SQLITE_INTEGER) {
    AppendNumber(row, static_cast<std::uint64_t>(sqlite3_value_int64(value)));
  } else if (type == SQLITE_FLOAT) {
    AppendNumber(row, std::bit_cast<std::uint64_t>(sqlite3_value_double(value)));
  } else if (type != SQLITE_NULL) {
    const void* const data = sqlite3_value_blob(value);
    AppendBytes(row, data, sqlite3_value_bytes(value));
  }
}

}  // namespace lmbroker::store
