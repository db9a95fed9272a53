// How a credential of the custody gets another key in the place of its own.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/core/custody.h"

namespace lmbroker::core {
namespace {

// With the token and version that the rotation brings.
store::CredentialRecord Rotated(store::CredentialRecord record, const store::Rotation& rotation,
                                const store::TokenRecord& token) {
  record.access_id = token.access_id;
  record.token = token.name;
  record.version = rotation.version;
  record.state = store::CredentialState::kActive;
  return record;
}

absl::Status NoSecret(const store::Rotation& rotation) {
  return Refuse(Reason::kUnknownToken, fmt::format("The new token of {} was deleted before its rotation was done.",
                                                   rotation.credential.ToString()));
}

absl::StatusOr<store::TokenRecord> NewToken(store::Store& store, const store::Rotation& rotation) {
  if (!rotation.token.has_value()) return NoSecret(rotation);
  return store.GetToken(*rotation.token);
}

absl::StatusOr<Secret> OpenStored(store::Store& store, const crypto::Envelope& envelope,
                                  const store::Rotation& rotation) {
  const std::string name = store::RotationSecretName(rotation.marker);
  ASSIGN_OR_RETURN(const std::vector<store::SealedValue> values, store.ListSealedValues());
  const auto found =
      std::find_if(values.begin(), values.end(), [&](const store::SealedValue& value) { return value.name == name; });
  if (found == values.end()) return NoSecret(rotation);
  return envelope.Open(found->secret, crypto::ValueBinding{name});
}

}  // namespace

std::stop_token Custody::recalled() const {
  const MutexLock lock(mutex_);
  return recall_.get_token();
}

bool Custody::Stands(const store::Rotation& rotation) const {
  const absl::StatusOr<Row> row = RowOf(rotation.credential);
  if (!row.ok()) return false;
  const store::CredentialRecord& record = row->entry->record;
  return record.token == rotation.retiring && record.version == rotation.version - 1;
}

absl::Status Custody::BeginRotation(const store::Rotation& rotation) {
  const MutexLock change(changes_);
  ASSIGN_OR_RETURN(const Row row, RowOf(rotation.credential));
  RETURN_IF_ERROR(CheckUnlocked());
  RETURN_IF_ERROR(CheckLease(*row.entry, clock_.Now()));
  RETURN_IF_ERROR(store_.BeginRotation(rotation));
  SetState(rotation.credential, store::CredentialState::kRotating);
  return absl::OkStatus();
}

// A lease is the handle's: it goes over to the new token, with the same end.
absl::Status Custody::StoreRotation(const store::Rotation& rotation, store::TokenRecord token, const Secret& secret) {
  const MutexLock change(changes_);
  ASSIGN_OR_RETURN(const Row row, RowOf(rotation.credential));
  RETURN_IF_ERROR(CheckUnlocked());
  token.expire_time = row.entry->expire_time;
  store::SealedValue value{.name = store::RotationSecretName(rotation.marker)};
  ASSIGN_OR_RETURN(value.secret, envelope_.Seal(secret, crypto::ValueBinding{value.name}));
  return store_.StoreRotation(rotation.marker, token, value);
}

absl::StatusOr<std::shared_ptr<const Custody::Entry>> Custody::FindStored(const store::Rotation& rotation) const {
  ASSIGN_OR_RETURN(const Row row, RowOf(rotation.credential));
  RETURN_IF_ERROR(CheckUnlocked());
  ASSIGN_OR_RETURN(const store::TokenRecord token, NewToken(store_, rotation));
  ASSIGN_OR_RETURN(Secret secret, OpenStored(store_, envelope_, rotation));
  const MutexLock lock(mutex_);
  return MakeEntry(Rotated(Stored(row), rotation, token), std::move(secret),
                   std::make_shared<LockoutGuard>(rotation.credential), token.expire_time);
}

absl::StatusOr<Custody::Use> Custody::PromoteRotation(const store::Rotation& rotation) {
  const MutexLock change(changes_);
  RETURN_IF_ERROR(CheckUnlocked());
  ASSIGN_OR_RETURN(const Row before, RowOf(rotation.credential));
  if (before.token_status == TokenStatus::kDisabled) {
    return Refuse(Reason::kCredentialDisabled,
                  fmt::format("The token of {} was disabled while another was to take its place; enable it with "
                              "ToggleToken before it is rotated.",
                              rotation.credential.ToString()));
  }
  RETURN_IF_ERROR(CheckLease(*before.entry, clock_.Now()));  // it may have been revoked meanwhile
  ASSIGN_OR_RETURN(const store::TokenRecord token, NewToken(store_, rotation));
  ASSIGN_OR_RETURN(Secret secret, OpenStored(store_, envelope_, rotation));
  store::CredentialRecord record = Rotated(Stored(before), rotation, token);
  record.rotate_time = clock_.Now();
  RETURN_IF_ERROR(Seal(record, secret));
  RETURN_IF_ERROR(store_.PromoteRotation(rotation.marker, record));
  Show(std::move(record), std::move(secret), token.expire_time);
  return Use(before.entry->guard);
}

absl::Status Custody::EndRotation(const store::Rotation& rotation) {
  const MutexLock change(changes_);
  RETURN_IF_ERROR(CheckUnlocked());
  RETURN_IF_ERROR(store_.EndRotation(rotation.marker));
  const bool promoted =
      rotation.phase == store::RotationPhase::kPromoted || rotation.phase == store::RotationPhase::kRetiring;
  if (!promoted) SetState(rotation.credential, store::CredentialState::kActive);
  return absl::OkStatus();
}

void Custody::SetState(const CredentialName& name, store::CredentialState state) {
  const MutexLock lock(mutex_);
  const auto found = rows_.find(name);
  if (found == rows_.end()) return;
  store::CredentialRecord record = found->second.entry->record;
  record.state = state;
  found->second.entry = Redescribed(*found->second.entry, std::move(record));
}

}  // namespace lmbroker::core
