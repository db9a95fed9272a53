#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/functional/any_invocable.h>
#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/mutex.h"
#include "service/base/random.h"
#include "service/base/secret.h"
#include "service/core/custody.h"
#include "service/crypto/key_holder.h"
#include "service/crypto/key_source.h"
#include "service/store/store.h"

namespace lmbroker::core {

// Whether the broker has its keys, and which: takes them from their source at the start, when the source changes and at
// Unseal, and all of them only if they open everything that is stored; wipes them at Seal; and has everything wrapped
// again after a promotion. Safe for concurrent use; the parts must outlive it.
class KeyKeeper {
 public:
  struct Parts {
    const Clock& clock;
    Random& random;
    Logger& logger;
    Metrics& metrics;
    crypto::KeySource& source;
    crypto::KeyHolder& keys;
    store::Store& store;
    Custody& custody;
  };
  // Told the audit's key when keys come into force, and nothing when they are wiped.
  using OnAuditSeed = absl::AnyInvocable<void(std::optional<Secret>)>;

  // The custody must be locked.
  KeyKeeper(const Parts& parts, OnAuditSeed on_audit_seed);

  // Opens everything that is stored; or stays sealed, because it was when the program ended, or because a passphrase is
  // needed. Any other reason for which there are no keys is an error, with what is missing.
  absl::Status Start();

  // Takes the keys of the source again. When they do not open everything the old ones stay, and log, state and metrics
  // say so. Nothing while sealed.
  void Reload();

  // Seals, also for the next start, and returns when every key is wiped. Calls in flight have `patience` to end; then
  // `recall` must end those that use keys, which gets as long again. `by` is who asked. Sealed already is OK.
  // STORE_UNAVAILABLE: not sealed. DEADLINE: sealed, but some call still has its key.
  absl::Status Seal(std::string_view by, absl::Duration patience, absl::FunctionRef<void()> recall);

  // Takes the keys of the source, also when they are open; the passphrase may be empty. FIELD_INVALID (`passphrase`);
  // SEALED: the keys cannot be had or do not open everything, and what was sealed stays so. STORE_UNAVAILABLE.
  absl::Status Unseal(const Secret& passphrase);

  // Wraps a part of what is not wrapped with the primary version again. To be called now and then.
  void Rewrap();

  struct State {
    bool sealed = true;
    std::string error;        // why newer keys were not taken, or records not wrapped; empty when all is well
    Custody::Wrapped rewrap;  // zero of zero while sealed
  };
  State state() const;

 private:
  absl::Status PutInForce(crypto::KeySource::Keys keys) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The audit's key that is kept with the records; made when there is none.
  absl::StatusOr<Secret> StoredAuditSeed() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckValues(const crypto::Envelope& candidate) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LockAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RewrapValues(std::uint32_t primary) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetReloadError(const absl::Status& status);

  const Parts parts_;
  OnAuditSeed on_audit_seed_ ABSL_GUARDED_BY(mutex_);
  mutable Mutex mutex_;  // one of Reload, Seal, Unseal, Rewrap at a time; held over disk writes; taken first
  mutable Mutex state_mutex_;
  std::string reload_error_ ABSL_GUARDED_BY(state_mutex_);
  std::string rewrap_error_ ABSL_GUARDED_BY(state_mutex_);
  Custody::Wrapped values_ ABSL_GUARDED_BY(state_mutex_);  // the store's own secrets, as of the last look
};

}  // namespace lmbroker::core
