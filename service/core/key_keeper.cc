#include "service/core/key_keeper.h"

#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/crypto/aead.h"
#include "service/crypto/envelope.h"

namespace lmbroker::core {
namespace {

// In the store's settings: set while the broker is to be sealed.
constexpr std::string_view kSealedSetting = "sealed";
// Among the store's own secrets: the Ed25519 seed of the audit, where the keys' source has no place for it.
constexpr std::string_view kAuditKey = "audit key";
// Records in one go, so that whoever ends the program need not wait for all.
constexpr std::size_t kRewrapAtOnce = 200;

// Characters of what is told to a caller of something's cause; the log has all.
constexpr std::size_t kMostCause = 500;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

absl::Status NotUnsealed(const absl::Status& cause) {
  std::string_view why = ToStd(cause.message());
  if (why.ends_with('.')) why.remove_suffix(1);
  return Refuse(Reason::kSealed, fmt::format("The broker stays as it was: {}.", why.substr(0, kMostCause)));
}

}  // namespace

KeyKeeper::KeyKeeper(const Parts& parts, OnAuditSeed on_audit_seed)
    : parts_(parts), on_audit_seed_(std::move(on_audit_seed)) {
  parts_.metrics.SetSealed(true);
}

absl::Status KeyKeeper::Start() {
  const MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(const std::optional<std::string> sealed_by, parts_.store.GetSetting(kSealedSetting));
  if (sealed_by.has_value()) {
    parts_.logger.Warn("sealed", {{"since", *sealed_by}});
    return absl::OkStatus();
  }
  absl::StatusOr<crypto::KeySource::Keys> keys = parts_.source.Open({});
  if (absl::IsInvalidArgument(keys.status())) {
    parts_.logger.Warn("sealed", {{"needs", "the passphrase of the key ring"}});
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(keys.status());
  return PutInForce(*std::move(keys));
}

// Everything that is stored opens with these keys before any of it is used.
absl::Status KeyKeeper::PutInForce(crypto::KeySource::Keys keys) {
  const crypto::Envelope candidate(*keys.wrapper, parts_.random);
  const bool was_locked = parts_.custody.locked();
  // The lambda runs within Unlock, under the lock that this function requires.
  absl::Status unlocked = parts_.custody.Unlock(candidate, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> absl::Status {
    if (was_locked) RETURN_IF_ERROR(parts_.store.Unlock(candidate));
    RETURN_IF_ERROR(CheckValues(candidate));
    parts_.keys.Set(keys.wrapper);
    return absl::OkStatus();
  });
  if (!unlocked.ok()) {
    if (was_locked) LockAll();
    return unlocked;
  }
  if (!keys.has_place_for_audit_key) {
    absl::StatusOr<Secret> seed = StoredAuditSeed();
    if (!seed.ok() && was_locked) LockAll();
    RETURN_IF_ERROR(seed.status());
    keys.audit_seed = *std::move(seed);
  }
  on_audit_seed_(std::move(keys.audit_seed));
  parts_.metrics.SetSealed(false);
  return absl::OkStatus();
}

absl::StatusOr<Secret> KeyKeeper::StoredAuditSeed() const {
  const crypto::Envelope envelope(parts_.keys, parts_.random);
  ASSIGN_OR_RETURN(const std::vector<store::SealedValue> values, parts_.store.ListSealedValues());
  for (const store::SealedValue& value : values) {
    if (value.name == kAuditKey) return envelope.Open(value.secret, crypto::ValueBinding{value.name});
  }
  Secret seed = crypto::Aead::NewKey(parts_.random);
  ASSIGN_OR_RETURN(crypto::SealedSecret sealed, envelope.Seal(seed, crypto::ValueBinding{kAuditKey}));
  RETURN_IF_ERROR(parts_.store.PutSealedValue({.name = std::string(kAuditKey), .secret = std::move(sealed)}));
  return seed;
}

absl::Status KeyKeeper::CheckValues(const crypto::Envelope& candidate) const {
  ASSIGN_OR_RETURN(const std::vector<store::SealedValue> values, parts_.store.ListSealedValues());
  for (const store::SealedValue& value : values) {
    const absl::Status opened = candidate.Open(value.secret, crypto::ValueBinding{value.name}).status();
    if (opened.ok() || absl::IsUnavailable(opened)) RETURN_IF_ERROR(opened);
    if (!opened.ok()) {
      return absl::FailedPreconditionError(
          fmt::format("The {} cannot be opened with the key ring, of which version {} sealed it: {}", value.name,
                      value.secret.key_version, Text(opened)));
    }
  }
  return absl::OkStatus();
}

void KeyKeeper::LockAll() {
  parts_.custody.Lock([this] { parts_.keys.Set(nullptr); });
  parts_.store.Lock();
  on_audit_seed_(std::nullopt);
  parts_.metrics.SetSealed(true);
}

void KeyKeeper::Reload() {
  const MutexLock lock(mutex_);
  if (parts_.custody.locked()) return;
  absl::StatusOr<crypto::KeySource::Keys> keys = parts_.source.Open({});
  const absl::Status status = keys.ok() ? PutInForce(*std::move(keys)) : keys.status();
  SetReloadError(status);
  parts_.metrics.KeysLoaded(status.ok());
  if (status.ok()) {
    parts_.logger.Info("keys_loaded", {{"primary", parts_.keys.PrimaryVersion()}});
  } else {
    parts_.logger.Error("keys_refused", {{"problem", Text(status)}});
  }
}

void KeyKeeper::SetReloadError(const absl::Status& status) {
  const MutexLock lock(state_mutex_);
  reload_error_ = Text(status);
}

absl::Status KeyKeeper::Seal(std::string_view by, absl::Duration patience, absl::FunctionRef<void()> recall) {
  const MutexLock lock(mutex_);
  if (!parts_.custody.locked()) {
    // Best effort: what is not written now would be written by nobody.
    if (const absl::Status saved = parts_.custody.SaveUses(); !saved.ok()) {
      parts_.logger.Warn("last_uses_not_saved", {{"status", saved.ToString()}});
    }
    RETURN_IF_ERROR(parts_.store.PutSetting(
        kSealedSetting,
        fmt::format("{} by {}", absl::FormatTime(absl::RFC3339_sec, parts_.clock.Now(), absl::UTCTimeZone()), by)));
  }
  parts_.custody.Lock([this] { parts_.keys.Set(nullptr); });
  parts_.source.Forget();
  parts_.metrics.SetSealed(true);
  int open = parts_.custody.WaitUntilWiped(patience);
  if (open > 0) {
    parts_.logger.Warn("calls_recalled", {{"open_keys", open}});
    parts_.custody.Recall();
    recall();
    open = parts_.custody.WaitUntilWiped(patience);
  }
  LockAll();
  parts_.logger.Warn("sealed", {{"open_keys", open}});
  if (open == 0) return absl::OkStatus();
  return Refuse(Reason::kDeadline,
                fmt::format("The broker is sealed, but {} keys are still in use by calls that have not ended yet; call "
                            "Seal again to wait for them.",
                            open));
}

absl::Status KeyKeeper::Unseal(const Secret& passphrase) {
  const MutexLock lock(mutex_);
  const bool was_locked = parts_.custody.locked();
  absl::StatusOr<crypto::KeySource::Keys> keys = parts_.source.Open(passphrase);
  if (absl::IsInvalidArgument(keys.status())) return FieldInvalid("passphrase", "is missing, or is not the key ring's");
  absl::Status status = keys.ok() ? PutInForce(*std::move(keys)) : keys.status();
  parts_.metrics.KeysLoaded(status.ok());
  if (status.ok()) {
    status = parts_.store.PutSetting(kSealedSetting, std::nullopt);
    if (!status.ok() && was_locked) LockAll();
  }
  if (!status.ok()) {
    parts_.logger.Error("keys_refused", {{"problem", Text(status)}});
    return ReasonOf(status).has_value() ? status : NotUnsealed(status);
  }
  SetReloadError(status);
  parts_.logger.Warn("unsealed", {{"primary", parts_.keys.PrimaryVersion()}});
  return absl::OkStatus();
}

void KeyKeeper::Rewrap() {
  const MutexLock lock(mutex_);
  if (parts_.custody.locked()) return;
  parts_.source.Poll();
  const std::uint32_t primary = parts_.keys.PrimaryVersion();
  absl::Status status = RewrapValues(primary);
  status.Update(parts_.custody.Rewrap(primary, kRewrapAtOnce));
  if (!status.ok()) parts_.logger.Error("rewrap_failed", {{"status", status.ToString()}});
  const MutexLock state_lock(state_mutex_);
  rewrap_error_ = Text(status);
}

absl::Status KeyKeeper::RewrapValues(std::uint32_t primary) {
  ASSIGN_OR_RETURN(const std::vector<store::SealedValue> values, parts_.store.ListSealedValues());
  const crypto::Envelope envelope(parts_.keys, parts_.random);
  absl::Status first;
  Custody::Wrapped wrapped;
  for (const store::SealedValue& value : values) {
    ++wrapped.total;
    absl::Status status;
    if (value.secret.key_version != primary) {
      absl::StatusOr<crypto::SealedSecret> again = envelope.Rewrap(value.secret, crypto::ValueBinding{value.name});
      status = again.ok() ? parts_.store.ReplaceSealedValue({.name = value.name, .secret = *std::move(again)})
                          : again.status();
    }
    if (status.ok()) ++wrapped.done;
    first.Update(status);
  }
  const MutexLock lock(state_mutex_);
  values_ = wrapped;
  return first;
}

KeyKeeper::State KeyKeeper::state() const {
  State state{.sealed = parts_.custody.locked()};
  if (!state.sealed) state.rewrap = parts_.custody.WrappedWith(parts_.keys.PrimaryVersion());
  const MutexLock lock(state_mutex_);
  if (!state.sealed) {
    state.rewrap.done += values_.done;
    state.rewrap.total += values_.total;
  }
  state.error = !reload_error_.empty() ? reload_error_ : rewrap_error_;
  return state;
}

}  // namespace lmbroker::core
