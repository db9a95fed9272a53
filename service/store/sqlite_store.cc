#include "service/store/sqlite_store.h"

#include <algorithm>
#include <cstdint>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/store/create_rows.h"
#include "service/store/credential_rows.h"
#include "service/store/lease_rows.h"
#include "service/store/migrations.h"
#include "service/store/record_rules.h"
#include "service/store/rotation_rows.h"
#include "service/store/token_rows.h"
#include "service/store/value_rows.h"

namespace lmbroker::store {
namespace {

// Deletes the credential and makes the tokens forget it.
absl::Status RemoveCredential(const Database& database, const CredentialName& name) {
  RETURN_IF_ERROR(UnbindTokenRows(database, name));
  return DeleteCredentialRow(database, name);
}

absl::Status Locked() {
  return Refuse(Reason::kSealed, "The broker is sealed, and changes nothing in its store; an operator can unseal it.");
}

// Version 1 has no tables for values.
absl::StatusOr<bool> HasValues(const Database& database) {
  ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(database));
  return version >= kFirstSealedVersion;
}

// With its lease, which refers to it.
absl::Status KeepToken(const Database& database, const TokenRecord& token) {
  RETURN_IF_ERROR(InsertTokenRow(database, token));
  return token.expire_time.has_value() ? InsertLeaseRow(database, LeaseOf(token)) : absl::OkStatus();
}

absl::Status ForgetToken(const Database& database, const TokenName& name) {
  RETURN_IF_ERROR(DeleteLeaseRow(database, name));
  return DeleteTokenRow(database, name);
}

// The credential's new token takes the place of the old one.
absl::Status SwapTokens(const Database& database, const Rotation& rotation, const CredentialRecord& before) {
  if (!rotation.token.has_value()) return Refuse(Reason::kInternal, "A rotation without a token was to be promoted.");
  RETURN_IF_ERROR(UnbindTokenRows(database, rotation.credential));
  RETURN_IF_ERROR(BindTokenRow(database, *rotation.token, rotation.credential));
  RETURN_IF_ERROR(MoveCreateRow(database, rotation.retiring, *rotation.token));
  const absl::StatusOr<TokenRecord> known = GetTokenRow(database, rotation.retiring);
  if (!IsRefusal(known.status(), Reason::kUnknownToken)) return known.status();
  return InsertTokenRow(database, RetiringRecord(rotation, before));
}

// What was made for a rotation that is given up.
absl::Status UndoRotation(const Database& database, const Rotation& rotation) {
  RETURN_IF_ERROR(DeleteSealedValueRow(database, RotationSecretName(rotation.marker)));
  if (rotation.token.has_value()) RETURN_IF_ERROR(ForgetToken(database, *rotation.token));
  absl::StatusOr<CredentialRecord> credential = GetCredentialRow(database, rotation.credential);
  if (IsRefusal(credential.status(), Reason::kUnknownCredential)) return absl::OkStatus();
  RETURN_IF_ERROR(credential.status());
  if (credential->state != CredentialState::kRotating) return absl::OkStatus();
  credential->state = CredentialState::kActive;
  return UpdateCredentialRow(database, *credential);
}

// Nor have versions 1 and 2 one for leases.
absl::StatusOr<bool> HasLeases(const Database& database) {
  ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(database));
  return version >= kFirstLeasedVersion;
}

absl::StatusOr<std::optional<LeaseRecord>> FindLease(const Database& database, const TokenName& token) {
  ASSIGN_OR_RETURN(const bool has_leases, HasLeases(database));
  if (!has_leases) return std::nullopt;
  return GetLeaseRow(database, token);
}

absl::StatusOr<std::vector<LeaseRecord>> FindLeases(const Database& database, const LeaseSelection& selection) {
  ASSIGN_OR_RETURN(const bool has_leases, HasLeases(database));
  if (!has_leases) return std::vector<LeaseRecord>();
  return ListLeaseRows(database, selection);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const Options& options, Random& random) {
  ASSIGN_OR_RETURN(Database database, Database::Open(options.path, options.wait));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(database), options, random));
}

absl::Status SqliteStore::Unlock(const crypto::Envelope& envelope) {
  return UnlockWith(envelope, Integrity::Origin::kInPlace);
}

absl::Status SqliteStore::UnlockRestored(const crypto::Envelope& envelope) {
  return UnlockWith(envelope, Integrity::Origin::kRestored);
}

absl::Status SqliteStore::UnlockWith(const crypto::Envelope& envelope, Integrity::Origin origin) {
  const MutexLock lock(mutex_);
  integrity_.reset();
  ASSIGN_OR_RETURN(
      integrity_, Integrity::Unlock({.database = database_, .counter = counter_, .random = random_}, envelope, origin));
  return absl::OkStatus();
}

void SqliteStore::Lock() {
  const MutexLock lock(mutex_);
  integrity_.reset();
}

template <class Work>
absl::Status SqliteStore::Write(Work work) {
  const MutexLock lock(mutex_);
  if (integrity_ == nullptr) return Locked();
  RETURN_IF_ERROR(integrity_->CatchUp());
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database_));
  RETURN_IF_ERROR(integrity_->Begin());
  RETURN_IF_ERROR(work(database_));
  RETURN_IF_ERROR(integrity_->Seal());
  RETURN_IF_ERROR(transaction.Commit());
  integrity_->Committed();
  return absl::OkStatus();
}

absl::Status SqliteStore::InsertCredential(const CredentialRecord& record) {
  RETURN_IF_ERROR(CheckCredential(record));
  return Write([&](const Database& database) { return InsertCredentialRow(database, record); });
}

absl::StatusOr<CredentialRecord> SqliteStore::GetCredential(const CredentialName& name) {
  const MutexLock lock(mutex_);
  return GetCredentialRow(database_, name);
}

absl::StatusOr<std::vector<CredentialRecord>> SqliteStore::ListCredentials(const std::optional<PortalName>& portal) {
  const MutexLock lock(mutex_);
  return ListCredentialRows(database_, portal);
}

absl::Status SqliteStore::UpdateCredential(const CredentialRecord& record) {
  RETURN_IF_ERROR(CheckCredential(record));
  return Write([&](const Database& database) { return UpdateCredentialRow(database, record); });
}

absl::Status SqliteStore::DeleteCredential(const CredentialName& name) {
  return Write([&](const Database& database) { return RemoveCredential(database, name); });
}

absl::StatusOr<TokenRecord> SqliteStore::GetToken(const TokenName& name) {
  const MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(TokenRecord record, GetTokenRow(database_, name));
  ASSIGN_OR_RETURN(const std::optional<LeaseRecord> lease, FindLease(database_, name));
  if (lease.has_value()) record.expire_time = lease->expire_time;
  return record;
}

absl::StatusOr<std::vector<TokenRecord>> SqliteStore::ListTokens(const PortalName& portal) {
  const MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(std::vector<TokenRecord> records, ListTokenRows(database_, portal));
  ASSIGN_OR_RETURN(const std::vector<LeaseRecord> leases, FindLeases(database_, {.portal = portal}));
  auto record = records.begin();  // both are in the order of the tokens' names
  for (const LeaseRecord& lease : leases) {
    record = std::find_if(record, records.end(), [&](const TokenRecord& each) { return each.name == lease.token; });
    if (record != records.end()) record->expire_time = lease.expire_time;
  }
  return records;
}

absl::Status SqliteStore::DeleteToken(const TokenName& name) {
  return Write([&](const Database& database) -> absl::Status {
    ASSIGN_OR_RETURN(const std::vector<CredentialName> credentials, CredentialsOfToken(database, name));
    for (const CredentialName& credential : credentials) RETURN_IF_ERROR(RemoveCredential(database, credential));
    return ForgetToken(database, name);
  });
}

absl::StatusOr<LeaseRecord> SqliteStore::GetLease(const TokenName& token) {
  const MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(std::optional<LeaseRecord> lease, FindLease(database_, token));
  if (!lease.has_value()) return NoLease(token);
  return *std::move(lease);
}

absl::StatusOr<std::vector<LeaseRecord>> SqliteStore::ListLeases(const LeaseSelection& selection) {
  const MutexLock lock(mutex_);
  return FindLeases(database_, selection);
}

absl::StatusOr<std::vector<LeaseRecord>> SqliteStore::DueLeases(const PortalName& portal, LeaseState state,
                                                                absl::Time now, int most) {
  const MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(const bool has_leases, HasLeases(database_));
  if (!has_leases) return std::vector<LeaseRecord>();
  return ListDueLeaseRows(database_, portal, state, now, most);
}

absl::StatusOr<std::int64_t> SqliteStore::CountStuckLeases(const PortalName& portal) {
  const MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(const bool has_leases, HasLeases(database_));
  if (!has_leases) return 0;
  return CountStuckLeaseRows(database_, portal);
}

absl::Status SqliteStore::UpdateLease(const LeaseRecord& lease) {
  return Write([&](const Database& database) { return UpdateLeaseRow(database, lease); });
}

absl::Status SqliteStore::BeginCreate(const CreateIntent& intent, std::optional<int> most_tokens) {
  RETURN_IF_ERROR(CheckIntent(intent));
  return Write([&](const Database& database) -> absl::Status {
    if (most_tokens.has_value()) {
      ASSIGN_OR_RETURN(const std::int64_t tokens, CountTokensOfCaller(database, intent.caller));
      RETURN_IF_ERROR(CheckMostTokens(intent, tokens, *most_tokens));
    }
    return InsertCreateRow(database, intent);
  });
}

absl::Status SqliteStore::CommitCreate(std::string_view marker, const TokenRecord& token,
                                       const std::optional<CredentialRecord>& credential) {
  return Write([&](const Database& database) -> absl::Status {
    ASSIGN_OR_RETURN(const CreateIntent intent, GetCreateRow(database, marker));
    RETURN_IF_ERROR(CheckCommit(intent, token, credential));
    // The credential first: the token refers to it.
    if (credential.has_value()) RETURN_IF_ERROR(InsertCredentialRow(database, *credential));
    RETURN_IF_ERROR(KeepToken(database, token));
    return SetCreateCommitted(database, marker, token.name);
  });
}

absl::Status SqliteStore::EndCreate(std::string_view marker, CreatePhase phase) {
  RETURN_IF_ERROR(CheckEnd(phase));
  return Write([&](const Database& database) { return SetCreatePhase(database, marker, phase); });
}

absl::StatusOr<std::vector<CreateIntent>> SqliteStore::OpenCreates() {
  const MutexLock lock(mutex_);
  return ListOpenCreateRows(database_);
}

absl::Status SqliteStore::BeginRotation(const Rotation& rotation) {
  RETURN_IF_ERROR(CheckRotation(rotation));
  return Write([&](const Database& database) -> absl::Status {
    ASSIGN_OR_RETURN(CredentialRecord credential, GetCredentialRow(database, rotation.credential));
    RETURN_IF_ERROR(CheckRotated(rotation, credential));
    credential.state = CredentialState::kRotating;
    RETURN_IF_ERROR(UpdateCredentialRow(database, credential));
    return InsertRotationRow(database, rotation);
  });
}

absl::Status SqliteStore::StoreRotation(std::string_view marker, const TokenRecord& token, const SealedValue& secret) {
  return Write([&](const Database& database) -> absl::Status {
    ASSIGN_OR_RETURN(const Rotation rotation, GetRotationRow(database, marker));
    RETURN_IF_ERROR(CheckStored(rotation, token, secret));
    RETURN_IF_ERROR(KeepToken(database, token));
    RETURN_IF_ERROR(PutSealedValueRow(database, secret));
    return SetRotationStored(database, marker, token.name);
  });
}

absl::Status SqliteStore::PromoteRotation(std::string_view marker, const CredentialRecord& credential) {
  return Write([&](const Database& database) -> absl::Status {
    ASSIGN_OR_RETURN(const Rotation rotation, GetRotationRow(database, marker));
    ASSIGN_OR_RETURN(const CredentialRecord before, GetCredentialRow(database, rotation.credential));
    RETURN_IF_ERROR(CheckPromoted(rotation, before, credential));
    RETURN_IF_ERROR(UpdateCredentialRow(database, credential));
    RETURN_IF_ERROR(SwapTokens(database, rotation, before));
    RETURN_IF_ERROR(DeleteSealedValueRow(database, RotationSecretName(marker)));
    return SetRotationPromoted(database, marker);
  });
}

absl::Status SqliteStore::NoteRetiring(std::string_view marker, const std::optional<absl::Time>& last_used_on,
                                       absl::Time still_since) {
  return Write([&](const Database& database) -> absl::Status {
    ASSIGN_OR_RETURN(const Rotation rotation, GetRotationRow(database, marker));
    RETURN_IF_ERROR(CheckRetiring(rotation));
    return SetRotationRetiring(database, marker, last_used_on, still_since);
  });
}

absl::Status SqliteStore::EndRotation(std::string_view marker) {
  return Write([&](const Database& database) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<Rotation> rotation, FindRotationRow(database, marker));
    if (!rotation.has_value()) return absl::OkStatus();
    RETURN_IF_ERROR(IsPromoted(*rotation) ? ForgetToken(database, rotation->retiring)
                                          : UndoRotation(database, *rotation));
    return DeleteRotationRow(database, marker);
  });
}

absl::StatusOr<std::vector<Rotation>> SqliteStore::ListRotations() {
  const MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(database_));
  if (version < kFirstRotatingVersion) return std::vector<Rotation>();
  return ListRotationRows(database_);
}

absl::StatusOr<std::vector<SealedValue>> SqliteStore::ListSealedValues() {
  const MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(const bool has_values, HasValues(database_));
  if (!has_values) return std::vector<SealedValue>();
  return ListSealedValueRows(database_);
}

absl::Status SqliteStore::PutSealedValue(const SealedValue& value) {
  return Write([&](const Database& database) { return PutSealedValueRow(database, value); });
}

absl::Status SqliteStore::ReplaceSealedValue(const SealedValue& value) {
  return Write([&](const Database& database) { return ReplaceSealedValueRow(database, value); });
}

absl::StatusOr<std::optional<std::string>> SqliteStore::GetSetting(std::string_view name) {
  const MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(const bool has_values, HasValues(database_));
  if (!has_values) return std::nullopt;
  return GetSettingRow(database_, name);
}

absl::Status SqliteStore::PutSetting(std::string_view name, const std::optional<std::string>& value) {
  return Write([&](const Database& database) {
    return value.has_value() ? PutSettingRow(database, name, *value) : DeleteSettingRow(database, name);
  });
}

}  // namespace lmbroker::store
