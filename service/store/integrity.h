#pragma once

#include <memory>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/base/random.h"
#include "service/crypto/envelope.h"
#include "service/store/change_watch.h"
#include "service/store/counter_file.h"
#include "service/store/integrity_row.h"
#include "service/store/sqlite_database.h"
#include "service/store/store_key.h"

namespace lmbroker::store {

// Holds the key of an unlocked store, and keeps the database such that the next Unlock knows whether it is what was
// written last. Every transaction leaves a new integrity row, and then the counter file is told. Not synchronised.
class Integrity {
 public:
  struct Parts {
    const Database& database;
    const CounterFile& counter;
    Random& random;
  };

  enum class Origin {
    kInPlace,
    kRestored,  // any counter will do; the store gets a new id, so that the counter file of the one before is no use
  };

  // Verifies the database, all of it, and the counter file; a database that never had a key gets one. All parts must
  // outlive the result. SEALED with what was found; STORE_UNAVAILABLE when the disk fails.
  static absl::StatusOr<std::unique_ptr<Integrity>> Unlock(const Parts& parts, const crypto::Envelope& envelope,
                                                           Origin origin);

  // Before a transaction: the counter file knows of the last one. STORE_UNAVAILABLE.
  absl::Status CatchUp();
  // In a transaction, before its first change. STORE_UNAVAILABLE when another process changed the database.
  absl::Status Begin();
  // In a transaction, after its last change.
  absl::Status Seal();
  // After its commit. That the counter file could not be written is what a kill at this place would leave, so the
  // change counts; the next one must wait until CatchUp has succeeded.
  void Committed();

 private:
  Integrity(const Parts& parts, Secret key) : parts_(parts), key_(std::move(key)), watch_(parts.database, key_) {}

  static absl::StatusOr<std::unique_ptr<Integrity>> FirstUnlock(const Parts& parts, const crypto::Envelope& envelope);
  static absl::StatusOr<Secret> OpenKey(const Parts& parts, const crypto::Envelope& envelope);
  absl::Status Verify(Origin origin);
  absl::Status CheckCounter(const CounterFile::Reading& reading) const;
  // The present state becomes that of another store.
  absl::Status ChangeId();
  absl::Status NoteVersion();
  // Brings a store of an earlier version, whose content was verified, to the newest one, in one change.
  absl::Status Upgrade();

  const Parts parts_;
  const StoreKey key_;
  ChangeWatch watch_;
  IntegrityState state_;           // as of the last commit
  IntegrityState pending_;         // of the transaction that is under way
  std::int64_t data_version_ = 0;  // by which SQLite tells that another process changed something
  bool behind_ = false;            // whether the counter file does not know of the last commit
};

}  // namespace lmbroker::store
