#include "service/store/integrity.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/store/migrations.h"
#include "service/store/store_id.h"
#include "service/store/table_sums.h"
#include "service/store/tampering.h"
#include "service/store/value_rows.h"

namespace lmbroker::store {
namespace {

constexpr crypto::ValueBinding kKeyBinding{StoreKey::kName};

std::string NewStoreId(Random& random) {
  std::string id(kStoreIdBytes, '\0');
  random.Fill(std::as_writable_bytes(std::span(id)));
  return id;
}

absl::Status Sealed(std::string_view what) { return Refuse(Reason::kSealed, what); }

// Refusals of the key service are passed on, and so are those of the store; all else is told as what it means here.
absl::Status KeyDoesNotOpen(const absl::Status& why) {
  if (IsRefusal(why, Reason::kSealed)) return why;
  return Sealed(fmt::format("The broker's database cannot be opened with this key ring: {}", ToStd(why.message())));
}

absl::Status CannotUse(const absl::Status& why) {
  return ReasonOf(why).has_value()
             ? why
             : Sealed(fmt::format("The broker's store cannot be opened: {}", ToStd(why.message())));
}

absl::Status OlderDatabase(const CounterFile& file, std::string_view how) {
  return Sealed(
      fmt::format("An older database was put in the place of the broker's own: {} {}. Put the right one back, or "
                  "restore a backup with `lmbrokerd restore`.",
                  file.path(), how));
}

// Of a database without a key, only what version 1 wrote can have rows.
absl::Status CheckUnsealed(const Database& database, const StoreKey& key) {
  ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(database));
  if (version < kFirstSealedVersion) return absl::OkStatus();
  ASSIGN_OR_RETURN(const TableSums sums, SumTables(database, key));
  for (const auto& [table, sum] : sums) {
    if (table != kSchemaTable && sum.rows > 0) return Tampered("its table `integrity` is empty, while others are not");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Integrity>> Integrity::Unlock(const Parts& parts, const crypto::Envelope& envelope,
                                                             Origin origin) {
  ASSIGN_OR_RETURN(const bool has_key, HasIntegrityRow(parts.database));
  if (!has_key) return FirstUnlock(parts, envelope);
  ASSIGN_OR_RETURN(Secret key, OpenKey(parts, envelope));
  std::unique_ptr<Integrity> integrity(new Integrity(parts, std::move(key)));
  RETURN_IF_ERROR(integrity->Verify(origin));
  return integrity;
}

absl::StatusOr<Secret> Integrity::OpenKey(const Parts& parts, const crypto::Envelope& envelope) {
  ASSIGN_OR_RETURN(const std::optional<SealedSecret> sealed, GetSealedValueRow(parts.database, StoreKey::kName));
  if (!sealed.has_value()) return Tampered("its key is gone from the table `sealed_values`");
  absl::StatusOr<Secret> key = envelope.Open(*sealed, kKeyBinding);
  if (!key.ok()) return KeyDoesNotOpen(key.status());
  if (key->size() != StoreKey::kBytes) return Tampered("its key in the table `sealed_values` is none");
  return key;
}

absl::StatusOr<std::unique_ptr<Integrity>> Integrity::FirstUnlock(const Parts& parts,
                                                                  const crypto::Envelope& envelope) {
  Secret key = StoreKey::NewKey(parts.random);
  ASSIGN_OR_RETURN(const SealedSecret sealed, envelope.Seal(key, kKeyBinding));
  std::unique_ptr<Integrity> integrity(new Integrity(parts, std::move(key)));
  RETURN_IF_ERROR(CheckUnsealed(parts.database, integrity->key_));
  const auto reading = parts.counter.Read(integrity->key_);
  if (!reading.ok()) return CannotUse(reading.status());
  if (reading->state != CounterFile::State::kMissing && reading->state != CounterFile::State::kBlank) {
    return OlderDatabase(parts.counter, "counts the changes of a later one");
  }
  // Before the first commit: from then on, a missing file has been removed.
  if (const absl::Status made = parts.counter.MakeIfMissing(); !made.ok()) return CannotUse(made);

  RETURN_IF_ERROR(parts.database.AllowChanges());
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(parts.database));
  RETURN_IF_ERROR(Migrate(parts.database));
  RETURN_IF_ERROR(PutSealedValueRow(parts.database, {.name = std::string(StoreKey::kName), .secret = sealed}));
  integrity->pending_ = {.store_id = NewStoreId(parts.random), .counter = 1};
  ASSIGN_OR_RETURN(integrity->pending_.sums, SumTables(parts.database, integrity->key_));
  RETURN_IF_ERROR(WriteIntegrityRow(parts.database, integrity->key_, parts.random, integrity->pending_));
  RETURN_IF_ERROR(transaction.Commit());
  integrity->Committed();
  RETURN_IF_ERROR(integrity->CatchUp());
  RETURN_IF_ERROR(integrity->NoteVersion());
  return integrity;
}

absl::Status Integrity::Verify(Origin origin) {
  ASSIGN_OR_RETURN(state_, ReadIntegrityRow(parts_.database, key_));
  RETURN_IF_ERROR(CompareTables(parts_.database, key_, state_.sums));
  if (origin == Origin::kRestored) {
    RETURN_IF_ERROR(parts_.database.AllowChanges());
    RETURN_IF_ERROR(ChangeId());
    RETURN_IF_ERROR(Upgrade());
    return NoteVersion();
  }
  const auto reading = parts_.counter.Read(key_);
  if (!reading.ok()) return CannotUse(reading.status());
  RETURN_IF_ERROR(CheckCounter(*reading));
  RETURN_IF_ERROR(parts_.database.AllowChanges());
  behind_ = reading->counter != state_.counter;
  RETURN_IF_ERROR(CatchUp());
  RETURN_IF_ERROR(Upgrade());
  return NoteVersion();
}

// What was verified gets the newest schema, in one change like any other.
absl::Status Integrity::Upgrade() {
  ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(parts_.database));
  if (version == kNewestVersion) return absl::OkStatus();
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(parts_.database));
  RETURN_IF_ERROR(Migrate(parts_.database));
  pending_ = state_;
  ++pending_.counter;
  ASSIGN_OR_RETURN(pending_.sums, SumTables(parts_.database, key_));
  RETURN_IF_ERROR(WriteIntegrityRow(parts_.database, key_, parts_.random, pending_));
  RETURN_IF_ERROR(transaction.Commit());
  Committed();
  return CatchUp();
}

absl::Status Integrity::CheckCounter(const CounterFile::Reading& reading) const {
  const CounterFile& file = parts_.counter;
  if (reading.state == CounterFile::State::kMissing) {
    return Sealed(
        fmt::format("The counter file {} is missing, which shows whether the broker's database is the one that "
                    "it wrote last. Put it back; if it is lost, restore the newest backup, or the database "
                    "itself, with `lmbrokerd restore`.",
                    file.path()));
  }
  const bool is_ours = reading.state == CounterFile::State::kBlank ||
                       (reading.state == CounterFile::State::kKnown && reading.store_id == state_.store_id);
  if (!is_ours) return OlderDatabase(file, "is damaged, or belongs to another database");
  if (reading.counter > state_.counter) {
    return OlderDatabase(file, fmt::format("counts {} changes, it has {}", reading.counter, state_.counter));
  }
  // One more is what a kill leaves between a commit and the writing of the file.
  if (state_.counter - reading.counter <= 1) return absl::OkStatus();
  return Sealed(
      fmt::format("The counter file {} is older than the broker's database: it counts {} changes, the database "
                  "has {}. Put the right one back; if it is lost, restore the newest backup, or the database "
                  "itself, with `lmbrokerd restore`.",
                  file.path(), reading.counter, state_.counter));
}

absl::Status Integrity::ChangeId() {
  pending_ = state_;
  pending_.store_id = NewStoreId(parts_.random);
  ++pending_.counter;
  if (const absl::Status made = parts_.counter.MakeIfMissing(); !made.ok()) return CannotUse(made);
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(parts_.database));
  RETURN_IF_ERROR(WriteIntegrityRow(parts_.database, key_, parts_.random, pending_));
  RETURN_IF_ERROR(transaction.Commit());
  Committed();
  return CatchUp();
}

absl::Status Integrity::NoteVersion() {
  ASSIGN_OR_RETURN(Statement select, parts_.database.Prepare("PRAGMA data_version"));
  ASSIGN_OR_RETURN(const bool has_row, select.Step());
  if (has_row) data_version_ = select.TakeInteger();
  return absl::OkStatus();
}

absl::Status Integrity::CatchUp() {
  if (!behind_) return absl::OkStatus();
  RETURN_IF_ERROR(parts_.counter.Write(key_, state_.store_id, state_.counter));
  behind_ = false;
  return absl::OkStatus();
}

absl::Status Integrity::Begin() {
  const std::int64_t before = data_version_;
  RETURN_IF_ERROR(NoteVersion());
  if (data_version_ != before) {
    absl::StatusOr<IntegrityState> now = ReadIntegrityRow(parts_.database, key_);
    const bool same = now.ok() && *now == state_ && CompareTables(parts_.database, key_, state_.sums).ok();
    if (!same) {
      data_version_ = before;  // refused again next time
      return Refuse(
          Reason::kStoreUnavailable,
          "Another process changed the broker's database; nothing is written to it any more. Restart the broker "
          "to learn what was changed.");
    }
  }
  watch_.Begin(state_.sums);
  pending_ = state_;
  return absl::OkStatus();
}

absl::Status Integrity::Seal() {
  ASSIGN_OR_RETURN(TableSums sums, watch_.Sums());
  if (!watch_.changed()) return absl::OkStatus();
  pending_.sums = std::move(sums);
  ++pending_.counter;
  return WriteIntegrityRow(parts_.database, key_, parts_.random, pending_);
}

void Integrity::Committed() {
  if (pending_.counter == state_.counter) return;  // nothing was changed
  state_ = std::move(pending_);
  behind_ = true;
  (void)CatchUp();
}

}  // namespace lmbroker::store
