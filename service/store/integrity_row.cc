#include "service/store/integrity_row.h"

#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/store/migrations.h"
#include "service/store/row_bytes.h"
#include "service/store/store_id.h"
#include "service/store/tampering.h"

namespace lmbroker::store {
namespace {

constexpr std::size_t kNonceBytes = 16;
constexpr std::size_t kNumberBytes = 8;
constexpr std::size_t kSumBytes = 32;

// What the row holds, as it stands in its columns.
struct Row {
  std::string store_id;
  std::int64_t counter = 0;
  std::string nonce;
  std::string sums;  // of each table: its name, its rows, its sum plus a mask
  std::string hash;  // of all that, and of the version of the schema
};

std::string HashOf(const StoreKey& key, std::int64_t version, const Row& row) {
  std::string record;
  AppendNumber(record, static_cast<std::uint64_t>(version));
  AppendNumber(record, static_cast<std::uint64_t>(row.counter));
  for (const std::string_view part : {row.store_id, row.nonce, row.sums}) {
    AppendNumber(record, part.size());
    record += part;
  }
  return std::string(crypto::Bytes(key.OfIntegrity(record)));
}

std::string MaskSums(const StoreKey& key, std::string_view nonce, const TableSums& sums) {
  std::string out;
  for (const auto& [table, sum] : sums) {
    RowSum masked = sum.sum;
    masked.Add(key.Mask(nonce, table));
    AppendNumber(out, table.size());
    out += table;
    AppendNumber(out, static_cast<std::uint64_t>(sum.rows));
    out += crypto::Bytes(masked.ToBytes());
  }
  return out;
}

// The next `size` bytes of `rest`; nothing when there are fewer.
std::optional<std::string_view> Take(std::string_view& rest, std::uint64_t size) {
  if (rest.size() < size) return std::nullopt;
  const std::string_view taken = rest.substr(0, static_cast<std::size_t>(size));
  rest.remove_prefix(static_cast<std::size_t>(size));
  return taken;
}

std::optional<TableSums> UnmaskSums(const StoreKey& key, std::string_view nonce, std::string_view text) {
  TableSums sums;
  while (!text.empty()) {
    const auto size = Take(text, kNumberBytes);
    const auto table = size.has_value() ? Take(text, ReadNumber(*size)) : std::nullopt;
    const auto rows = Take(text, kNumberBytes);
    const auto bytes = Take(text, kSumBytes);
    if (!table.has_value() || !rows.has_value() || !bytes.has_value()) return std::nullopt;
    crypto::Digest digest{};
    bytes->copy(digest.data(), digest.size());
    TableSum sum{.rows = static_cast<std::int64_t>(ReadNumber(*rows)), .sum = RowSum::FromBytes(digest)};
    sum.sum.Subtract(key.Mask(nonce, *table));
    sums.emplace(*table, sum);
  }
  return sums;
}

absl::Status BadRow() { return Tampered("the row of its table `integrity` is not one that the broker wrote"); }

}  // namespace

absl::StatusOr<bool> HasIntegrityRow(const Database& database) {
  ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(database));
  if (version < kFirstSealedVersion) return false;
  ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT count(*) FROM integrity"));
  ASSIGN_OR_RETURN(const bool has_row, select.Step());
  return has_row && select.TakeInteger() > 0;
}

absl::StatusOr<IntegrityState> ReadIntegrityRow(const Database& database, const StoreKey& key) {
  ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(database));
  ASSIGN_OR_RETURN(Statement select, database.Prepare("SELECT store_id, counter, nonce, sums, hash FROM integrity"));
  ASSIGN_OR_RETURN(const bool has_row, select.Step());
  if (!has_row) return BadRow();
  Row row;
  row.store_id = select.TakeBlob();
  row.counter = select.TakeInteger();
  row.nonce = select.TakeBlob();
  row.sums = select.TakeBlob();
  row.hash = select.TakeBlob();
  ASSIGN_OR_RETURN(const bool has_another, select.Step());
  if (has_another || row.hash != HashOf(key, version, row)) return BadRow();
  std::optional<TableSums> sums = UnmaskSums(key, row.nonce, row.sums);
  if (!sums.has_value()) return BadRow();
  return IntegrityState{.store_id = std::move(row.store_id), .counter = row.counter, .sums = *std::move(sums)};
}

absl::Status WriteIntegrityRow(const Database& database, const StoreKey& key, Random& random,
                               const IntegrityState& state) {
  ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(database));
  Row row{.store_id = state.store_id, .counter = state.counter, .nonce = std::string(kNonceBytes, '\0')};
  random.Fill(std::as_writable_bytes(std::span(row.nonce)));
  row.sums = MaskSums(key, row.nonce, state.sums);
  row.hash = HashOf(key, version, row);
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT OR REPLACE INTO integrity (id, store_id, counter, nonce, sums, hash) "
                                    "VALUES (1, ?, ?, ?, ?, ?)"));
  return insert.Blob(row.store_id).Integer(row.counter).Blob(row.nonce).Blob(row.sums).Blob(row.hash).Run();
}

}  // namespace lmbroker::store
