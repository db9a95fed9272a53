#pragma once

// Rows as bytes to be hashed: each column as its type and its value, lengths before texts and blobs, so that no two
// rows give the same bytes.

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace lmbroker::store {

// Appends `value` with the most significant byte first, as every number of the store's own records is written.
void AppendNumber(std::string& out, std::uint64_t value);
std::uint64_t ReadNumber(std::string_view eight_bytes);

// Appends one column; the second is for the values of a change (sqlite3_preupdate_old and its like). The bytes are
// those that the database has, in its own text encoding.
void AppendColumn(std::string& row, sqlite3_stmt* statement, int column);
void AppendColumn(std::string& row, sqlite3_value* value);

}  // namespace lmbroker::store
