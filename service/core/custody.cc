#include "service/core/custody.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/store/binding.h"

namespace lmbroker::core {
namespace {

// The rest is for keys that are being rotated, and for the secrets that calls hold.
constexpr double kMostUseForOneMore = 0.75;

absl::Status Disabled(const CredentialName& name, std::string_view what, std::string_view how) {
  return Refuse(Reason::kCredentialDisabled,
                fmt::format("The broker does not sign with {}: {} is disabled; {}.", name.ToString(), what, how));
}

}  // namespace

std::shared_ptr<const Custody::Entry> Custody::MakeEntry(store::CredentialRecord record, Secret secret,
                                                         std::shared_ptr<LockoutGuard> guard,
                                                         std::optional<absl::Time> expire_time) const {
  record.secret = {};
  portal::SecretForms forms(secret);
  OpenKeys::Place place = secret.empty() ? OpenKeys::Place() : OpenKeys::Place(open_keys_);
  sign::Key key{.type = record.type, .access_id = record.access_id, .secret = std::move(secret)};
  return std::make_shared<const Entry>(Entry{.place = std::move(place),
                                             .recalled = recall_.get_token(),
                                             .record = std::move(record),
                                             .expire_time = expire_time,
                                             .key = std::move(key),
                                             .forms = std::move(forms),
                                             .guard = std::move(guard)});
}

std::shared_ptr<const Custody::Entry> Custody::Redescribed(const Entry& entry, store::CredentialRecord record) const {
  return MakeEntry(std::move(record), entry.key.secret.Duplicate(), entry.guard, entry.expire_time);
}

absl::StatusOr<Custody::Row> Custody::RowOf(const CredentialName& name) const {
  const MutexLock lock(mutex_);
  const auto found = rows_.find(name);
  if (found != rows_.end()) return found->second;
  return Refuse(Reason::kUnknownCredential,
                fmt::format("The broker has no {}; an operator can import it.", name.ToString()));
}

absl::StatusOr<std::shared_ptr<const Custody::Entry>> Custody::Lookup(const CredentialName& name) const {
  ASSIGN_OR_RETURN(Row row, RowOf(name));
  RETURN_IF_ERROR(CheckUnlocked());
  if (row.entry->record.status == TokenStatus::kDisabled) {
    return Disabled(name, "it", "an operator can enable it with ToggleCredential");
  }
  RETURN_IF_ERROR(CheckLease(*row.entry, clock_.Now()));
  RETURN_IF_ERROR(row.entry->guard->Check(clock_.Monotonic()));
  if (row.token_status == TokenStatus::kDisabled) {
    return Disabled(name, "its token at the portal", "enable it with ToggleToken");
  }
  const MutexLock lock(mutex_);
  if (const auto found = rows_.find(name); found != rows_.end()) found->second.last_use = clock_.Now();
  return std::move(row.entry);
}

absl::Status Custody::CheckLease(const Entry& entry, absl::Time now) {
  if (!entry.expire_time.has_value() || now < *entry.expire_time) return absl::OkStatus();
  return Refuse(Reason::kCredentialDisabled,
                fmt::format("The broker does not sign with {}: the lease of its token has ended; create another token.",
                            entry.record.name.ToString()));
}

absl::StatusOr<std::shared_ptr<const Custody::Entry>> Custody::Find(const CredentialName& name) const {
  ASSIGN_OR_RETURN(Row row, RowOf(name));
  RETURN_IF_ERROR(CheckUnlocked());
  return std::move(row.entry);
}

bool Custody::Has(const CredentialName& name) const {
  const MutexLock lock(mutex_);
  return rows_.contains(name);
}

absl::StatusOr<store::CredentialRecord> Custody::Describe(const CredentialName& name) const {
  ASSIGN_OR_RETURN(const Row row, RowOf(name));
  return Shown(row);
}

store::CredentialRecord Custody::Stored(const Row& row) {
  store::CredentialRecord record = row.entry->record;
  if (row.last_use.has_value()) record.last_use_time = row.last_use;
  return record;
}

store::CredentialRecord Custody::Shown(const Row& row) {
  store::CredentialRecord record = Stored(row);
  if (row.entry->guard->quarantined()) record.state = store::CredentialState::kQuarantined;
  return record;
}

std::vector<store::CredentialRecord> Custody::List(const std::optional<PortalName>& portal) const {
  std::vector<store::CredentialRecord> records;
  const MutexLock lock(mutex_);
  for (const auto& [name, row] : rows_) {
    if (portal.has_value() && name.portal() != *portal) continue;
    records.push_back(Shown(row));
  }
  return records;
}

absl::Status Custody::Seal(store::CredentialRecord& record, const Secret& secret) const {
  ASSIGN_OR_RETURN(record.secret, envelope_.Seal(secret, store::BindingOf(record)));
  return absl::OkStatus();
}

void Custody::Show(store::CredentialRecord record, Secret secret, std::optional<absl::Time> expire_time) {
  CredentialName name = record.name;
  const std::uint32_t key_version = record.secret.key_version;
  auto guard = std::make_shared<LockoutGuard>(name);
  const MutexLock lock(mutex_);
  Row row{.entry = MakeEntry(std::move(record), std::move(secret), std::move(guard), expire_time),
          .key_version = key_version};
  rows_.insert_or_assign(std::move(name), std::move(row));
}

absl::Status Custody::CheckRoom() {
  if (SecureHeapUse() < kMostUseForOneMore) return absl::OkStatus();
  return Refuse(Reason::kTooManyTokens,
                "The broker's locked memory has no room for another key; delete credentials that nobody uses.");
}

absl::Status Custody::Import(store::CredentialRecord record, Secret secret) {
  const MutexLock change(changes_);
  RETURN_IF_ERROR(CheckUnlocked());
  RETURN_IF_ERROR(CheckRoom());
  RETURN_IF_ERROR(Seal(record, secret));
  std::optional<absl::Time> expire_time;  // of a token that the broker created, and whose secret comes back to it
  if (record.token.has_value()) {
    const absl::StatusOr<store::TokenRecord> token = store_.GetToken(*record.token);
    if (!token.ok() && !IsRefusal(token.status(), Reason::kUnknownToken)) return token.status();
    if (token.ok()) expire_time = token->expire_time;
  }
  RETURN_IF_ERROR(store_.InsertCredential(record));
  Show(std::move(record), std::move(secret), expire_time);
  return absl::OkStatus();
}

absl::Status Custody::Adopt(std::string_view marker, const store::TokenRecord& token, store::CredentialRecord record,
                            Secret secret) {
  const MutexLock change(changes_);
  RETURN_IF_ERROR(CheckUnlocked());
  RETURN_IF_ERROR(Seal(record, secret));
  RETURN_IF_ERROR(store_.CommitCreate(marker, token, record));
  Show(std::move(record), std::move(secret), token.expire_time);
  return absl::OkStatus();
}

absl::Status Custody::Rewrite(const store::CredentialRecord& record) {
  ASSIGN_OR_RETURN(const store::CredentialRecord stored, store_.GetCredential(record.name));
  store::CredentialRecord changed = record;
  changed.secret = stored.secret;
  return store_.UpdateCredential(changed);
}

absl::StatusOr<store::CredentialRecord> Custody::SetStatus(const CredentialName& name, TokenStatus status) {
  const MutexLock change(changes_);
  ASSIGN_OR_RETURN(const Row before, RowOf(name));
  RETURN_IF_ERROR(CheckUnlocked());
  store::CredentialRecord record = Stored(before);
  record.status = status;
  RETURN_IF_ERROR(Rewrite(record));
  if (status == TokenStatus::kEnabled) before.entry->guard->Heal();
  const MutexLock lock(mutex_);
  Row& row = rows_.at(name);
  row.entry = Redescribed(*row.entry, std::move(record));
  return Shown(row);
}

absl::Status Custody::Remove(const CredentialName& name) {
  const MutexLock change(changes_);
  RETURN_IF_ERROR(CheckUnlocked());
  RETURN_IF_ERROR(store_.DeleteCredential(name));
  const MutexLock lock(mutex_);
  rows_.erase(name);
  return absl::OkStatus();
}

absl::Status Custody::ForgetToken(const TokenName& token) {
  const MutexLock change(changes_);
  RETURN_IF_ERROR(CheckUnlocked());
  RETURN_IF_ERROR(store_.DeleteToken(token));
  const MutexLock lock(mutex_);
  std::erase_if(rows_, [&](const auto& item) { return item.second.entry->record.token == token; });
  return absl::OkStatus();
}

absl::Status Custody::ChangeLease(const store::LeaseRecord& lease) {
  const MutexLock change(changes_);
  RETURN_IF_ERROR(CheckUnlocked());
  RETURN_IF_ERROR(store_.UpdateLease(lease));
  const MutexLock lock(mutex_);
  for (auto& [name, row] : rows_) {
    const Entry& entry = *row.entry;
    if (entry.record.token != lease.token) continue;
    row.entry = MakeEntry(entry.record, entry.key.secret.Duplicate(), entry.guard, lease.expire_time);
  }
  return absl::OkStatus();
}

void Custody::LearnTokenStatus(const PortalName& portal, std::span<const portal::LmToken> tokens) {
  const MutexLock lock(mutex_);
  for (auto& [name, row] : rows_) {
    const auto& token = row.entry->record.token;
    if (!token.has_value() || token->portal() != portal) continue;
    const auto found = std::lower_bound(tokens.begin(), tokens.end(), token->id(),
                                        [](const portal::LmToken& shown, std::int32_t id) { return shown.id < id; });
    if (found == tokens.end() || found->id != token->id()) continue;
    const bool back = row.token_status == TokenStatus::kDisabled && found->status == TokenStatus::kEnabled;
    if (back) row.entry->guard->Heal();
    row.token_status = found->status;
  }
}

absl::Status Custody::SaveUses() {
  absl::Status first;
  const MutexLock change(changes_);
  Rows rows;
  {
    const MutexLock lock(mutex_);
    if (!locked_) rows = rows_;
  }
  for (const auto& [name, used] : rows) {
    store::CredentialRecord record = Stored(used);
    if (used.entry->record.last_use_time == record.last_use_time) continue;
    first.Update(Rewrite(record));
    const MutexLock lock(mutex_);
    Row& row = rows_.at(name);
    row.entry = Redescribed(*row.entry, std::move(record));
  }
  return first;
}

}  // namespace lmbroker::core
