// How the keys of the custody are opened, locked away, and follow the key-encryption keys.

#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/core/custody.h"
#include "service/store/binding.h"

namespace lmbroker::core {
namespace {

// Who reads the message can act on a few names, and on the versions, of which all are told.
constexpr std::size_t kMostNamed = 5;

// What does not open, as one sentence.
class Problems {
 public:
  void Add(const store::CredentialRecord& record, const absl::Status& status) {
    if (IsRefusal(status, Reason::kSealed)) missing_.insert(record.secret.key_version);
    if (++count_ <= kMostNamed) named_.push_back(record.name.ToString());
  }

  absl::Status ToStatus() const {
    if (count_ == 0) return absl::OkStatus();
    std::string missing;
    if (!missing_.empty()) missing = fmt::format(", which lacks version {}", fmt::join(missing_, ", "));
    std::string names = fmt::format("{}", fmt::join(named_, ", "));
    if (count_ > kMostNamed) names += fmt::format(" and {} more", count_ - kMostNamed);
    return absl::FailedPreconditionError(fmt::format(
        "{} credentials cannot be opened with the key ring{}; restore the ring that sealed them, or those records from "
        "a backup: {}.",
        count_, missing, names));
  }

 private:
  std::set<std::uint32_t> missing_;
  std::vector<std::string> named_;
  std::size_t count_ = 0;
};

// What was taken in has fitted, unless less may be locked by now. The rest is for the secrets that calls hold.
constexpr double kMostUseByKeys = 0.9;

absl::Status CheckFits() {
  if (SecureHeapUse() < kMostUseByKeys) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "the keys of the credentials do not fit into the memory that may be locked; raise the memlock limit (ulimit -l)");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Custody>> Custody::OpenLocked(store::Store& store, const crypto::Envelope& envelope,
                                                             const Clock& clock) {
  std::unique_ptr<Custody> custody(new Custody(store, envelope, clock));
  ASSIGN_OR_RETURN(std::vector<store::CredentialRecord> records, store.ListCredentials(std::nullopt));
  ASSIGN_OR_RETURN(const Ends ends, custody->EndsOfLeases());
  const MutexLock change(custody->changes_);
  for (store::CredentialRecord& record : records) {
    const std::optional<absl::Time> end = EndOf(record, ends);
    custody->Show(std::move(record), {}, end);
  }
  return custody;
}

absl::StatusOr<std::unique_ptr<Custody>> Custody::Open(store::Store& store, const crypto::Envelope& envelope,
                                                       const Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<Custody> custody, OpenLocked(store, envelope, clock));
  RETURN_IF_ERROR(custody->Unlock(envelope, [] { return absl::OkStatus(); }));
  return custody;
}

absl::StatusOr<Custody::Ends> Custody::EndsOfLeases() const {
  ASSIGN_OR_RETURN(const std::vector<store::LeaseRecord> leases, store_.ListLeases({}));
  Ends ends;
  for (const store::LeaseRecord& lease : leases) ends.emplace_hint(ends.end(), lease.token, lease.expire_time);
  return ends;
}

std::optional<absl::Time> Custody::EndOf(const store::CredentialRecord& record, const Ends& ends) {
  if (!record.token.has_value()) return std::nullopt;
  const auto found = ends.find(*record.token);
  return found == ends.end() ? std::nullopt : std::optional(found->second);
}

absl::StatusOr<Custody::OpenedRecords> Custody::OpenAll(const crypto::Envelope& candidate) const {
  ASSIGN_OR_RETURN(std::vector<store::CredentialRecord> records, store_.ListCredentials(std::nullopt));
  OpenedRecords opened;
  Problems problems;
  for (store::CredentialRecord& record : records) {
    RETURN_IF_ERROR(CheckFits());
    absl::StatusOr<Secret> secret = candidate.Open(record.secret, store::BindingOf(record));
    if (absl::IsUnavailable(secret.status())) return secret.status();  // of the key service: as true for all others
    if (secret.ok()) {
      opened.emplace_back(std::move(record), *std::move(secret));
    } else {
      problems.Add(record, secret.status());
    }
  }
  RETURN_IF_ERROR(problems.ToStatus());
  return opened;
}

absl::Status Custody::Unlock(const crypto::Envelope& candidate, absl::FunctionRef<absl::Status()> commit) {
  const MutexLock change(changes_);
  RETURN_IF_ERROR(OpenAll(candidate).status());
  RETURN_IF_ERROR(commit());
  if (!locked()) return absl::OkStatus();
  // Only now is it known that the store has what the broker wrote.
  ASSIGN_OR_RETURN(OpenedRecords opened, OpenAll(candidate));
  ASSIGN_OR_RETURN(const Ends ends, EndsOfLeases());
  const MutexLock lock(mutex_);
  recall_ = std::stop_source();
  Rows rows;
  for (auto& [record, secret] : opened) {
    RETURN_IF_ERROR(CheckFits());
    const auto known = rows_.find(record.name);
    auto guard = known != rows_.end() ? known->second.entry->guard : std::make_shared<LockoutGuard>(record.name);
    const CredentialName name = record.name;
    const std::uint32_t key_version = record.secret.key_version;
    const std::optional<absl::Time> end = EndOf(record, ends);
    Row row{.entry = MakeEntry(std::move(record), std::move(secret), std::move(guard), end),
            .key_version = key_version};
    if (known != rows_.end()) row.token_status = known->second.token_status;
    rows.emplace(name, std::move(row));
  }
  rows_ = std::move(rows);
  locked_ = false;
  return absl::OkStatus();
}

void Custody::Lock(absl::FunctionRef<void()> commit) {
  const MutexLock change(changes_);
  commit();
  std::vector<std::shared_ptr<const Entry>> last;  // which may be wiped here, but not under the lock
  const MutexLock lock(mutex_);
  locked_ = true;
  for (auto& [name, row] : rows_) {
    auto keyless = MakeEntry(row.entry->record, {}, row.entry->guard, row.entry->expire_time);
    last.push_back(std::exchange(row.entry, std::move(keyless)));
  }
}

bool Custody::locked() const {
  const MutexLock lock(mutex_);
  return locked_;
}

absl::Status Custody::CheckUnlocked() const {
  if (!locked()) return absl::OkStatus();
  return Refuse(Reason::kSealed, "The broker is sealed, so no key can be used; an operator can unseal it.");
}

void Custody::Recall() {
  std::stop_source recall;
  {
    const MutexLock lock(mutex_);
    recall = recall_;
  }
  recall.request_stop();  // which runs what others do then
}

Custody::Wrapped Custody::WrappedWith(std::uint32_t version) const {
  Wrapped wrapped;
  const MutexLock lock(mutex_);
  for (const auto& [name, row] : rows_) {
    ++wrapped.total;
    if (row.key_version == version) ++wrapped.done;
  }
  return wrapped;
}

absl::Status Custody::Rewrap(std::uint32_t primary, std::size_t most) {
  std::vector<CredentialName> behind;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, row] : rows_) {
      if (row.key_version != primary && behind.size() < most) behind.push_back(name);
    }
  }
  absl::Status first;
  for (const CredentialName& name : behind) first.Update(RewrapOne(name, primary));
  return first;
}

// The record is read, changed and written with nobody in between.
absl::Status Custody::RewrapOne(const CredentialName& name, std::uint32_t primary) {
  const MutexLock change(changes_);
  if (locked()) return absl::OkStatus();
  absl::StatusOr<store::CredentialRecord> record = store_.GetCredential(name);
  if (IsRefusal(record.status(), Reason::kUnknownCredential)) return absl::OkStatus();  // deleted meanwhile
  RETURN_IF_ERROR(record.status());
  if (record->secret.key_version != primary) {
    ASSIGN_OR_RETURN(record->secret, envelope_.Rewrap(record->secret, store::BindingOf(*record)));
    RETURN_IF_ERROR(store_.UpdateCredential(*record));
  }
  const MutexLock lock(mutex_);
  rows_.at(name).key_version = record->secret.key_version;
  return absl::OkStatus();
}

}  // namespace lmbroker::core
