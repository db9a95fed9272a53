#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "service/base/error.h"
#include "service/base/mutex.h"
#include "service/base/status_macros.h"
#include "service/store/record_rules.h"
#include "service/store/store.h"
#include "service/store/store_key.h"

namespace lmbroker {

// A Store in memory that fails when the test says so. Keeps the contract of Store (tests/contract/store_contract_test),
// but for one thing: it begins unlocked.
class MemoryStore final : public store::Store {
 public:
  absl::Status Unlock(const crypto::Envelope& envelope) override {
    const MutexLock lock(mutex_);
    locked_ = true;
    RETURN_IF_ERROR(Call());
    const auto found = sealed_values_.find(std::string(store::StoreKey::kName));
    if (found == sealed_values_.end()) {
      ASSIGN_OR_RETURN(store::SealedSecret key, envelope.Seal(Secret("a store key"), kKeyBinding));
      sealed_values_.emplace(store::StoreKey::kName, std::move(key));
    } else if (!envelope.Open(found->second, kKeyBinding).ok()) {
      return Refuse(Reason::kSealed, "The store's key does not open with this key ring.");
    }
    locked_ = false;
    return absl::OkStatus();
  }

  void Lock() override {
    const MutexLock lock(mutex_);
    locked_ = true;
  }

  // After `good` further calls, `bad` calls fail with STORE_UNAVAILABLE and without effect.
  void FailAfter(int good, int bad = 1) {
    const MutexLock lock(mutex_);
    good_calls_ = good;
    bad_calls_ = bad;
  }

  // Asked at each call, under the store's lock: whether it fails in the same way.
  void FailWhen(std::function<bool()> failing) {
    const MutexLock lock(mutex_);
    failing_ = std::move(failing);
  }

  absl::Status InsertCredential(const store::CredentialRecord& record) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    RETURN_IF_ERROR(CheckCredential(record));
    return Insert(record);
  }

  absl::StatusOr<store::CredentialRecord> GetCredential(const CredentialName& name) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Call());
    const auto found = credentials_.find(name);
    if (found == credentials_.end()) return UnknownCredential();
    return found->second;
  }

  absl::StatusOr<std::vector<store::CredentialRecord>> ListCredentials(
      const std::optional<PortalName>& portal) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Call());
    std::vector<store::CredentialRecord> records;
    for (const auto& [name, record] : credentials_) {
      if (!portal.has_value() || name.portal() == *portal) records.push_back(record);
    }
    return records;
  }

  absl::Status UpdateCredential(const store::CredentialRecord& record) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    RETURN_IF_ERROR(CheckCredential(record));
    const auto found = credentials_.find(record.name);
    if (found == credentials_.end()) return UnknownCredential();
    found->second = record;
    return absl::OkStatus();
  }

  absl::Status DeleteCredential(const CredentialName& name) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    if (!credentials_.contains(name)) return UnknownCredential();
    Remove(name);
    return absl::OkStatus();
  }

  absl::StatusOr<store::TokenRecord> GetToken(const TokenName& name) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Call());
    const auto found = tokens_.find(name);
    if (found == tokens_.end()) return Refuse(Reason::kUnknownToken, "The broker did not create this token.");
    return WithLease(found->second);
  }

  absl::StatusOr<std::vector<store::TokenRecord>> ListTokens(const PortalName& portal) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Call());
    std::vector<store::TokenRecord> records;
    for (const auto& [name, record] : tokens_) {
      if (name.portal() == portal) records.push_back(WithLease(record));
    }
    return records;
  }

  absl::Status DeleteToken(const TokenName& name) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    std::vector<CredentialName> bound;
    for (const auto& [credential, record] : credentials_) {
      if (record.token == name) bound.push_back(credential);
    }
    for (const CredentialName& credential : bound) Remove(credential);
    ForgetToken(name);
    return absl::OkStatus();
  }

  absl::StatusOr<store::LeaseRecord> GetLease(const TokenName& token) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Call());
    const auto found = leases_.find(token);
    if (found == leases_.end()) return store::NoLease(token);
    return found->second;
  }

  absl::StatusOr<std::vector<store::LeaseRecord>> ListLeases(const store::LeaseSelection& selection) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Call());
    std::vector<store::LeaseRecord> leases;
    for (const auto& [token, lease] : leases_) {
      if (selection.portal.has_value() && token.portal() != *selection.portal) continue;
      if (selection.stuck_only && lease.state != store::LeaseState::kStuck) continue;
      if (selection.after.has_value() && !(*selection.after < token)) continue;
      if (selection.most.has_value() && leases.size() >= static_cast<std::size_t>(*selection.most)) break;
      leases.push_back(lease);
    }
    return leases;
  }

  absl::StatusOr<std::vector<store::LeaseRecord>> DueLeases(const PortalName& portal, store::LeaseState state,
                                                            absl::Time now, int most) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Call());
    std::vector<store::LeaseRecord> due;
    for (const auto& [token, lease] : leases_) {
      if (token.portal() == portal && lease.state == state && lease.next_time <= now) due.push_back(lease);
    }
    std::sort(due.begin(), due.end(), [](const auto& one, const auto& other) {
      return std::tie(one.next_time, one.token) < std::tie(other.next_time, other.token);
    });
    if (due.size() > static_cast<std::size_t>(most)) due.erase(due.begin() + most, due.end());
    return due;
  }

  absl::StatusOr<std::int64_t> CountStuckLeases(const PortalName& portal) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Call());
    return std::count_if(leases_.begin(), leases_.end(), [&](const auto& item) {
      return item.first.portal() == portal && item.second.state == store::LeaseState::kStuck;
    });
  }

  absl::Status UpdateLease(const store::LeaseRecord& lease) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    const auto found = leases_.find(lease.token);
    if (found == leases_.end()) return store::NoLease(lease.token);
    found->second = lease;
    return absl::OkStatus();
  }

  absl::Status BeginCreate(const store::CreateIntent& intent, std::optional<int> most_tokens) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    RETURN_IF_ERROR(CheckIntent(intent));
    if (FindCreate(intent.marker) != creates_.end()) return Refuse(Reason::kInternal, "The marker is not new.");
    if (most_tokens.has_value()) RETURN_IF_ERROR(CheckMostTokens(intent, TokensOf(intent.caller), *most_tokens));
    creates_.push_back(intent);
    return absl::OkStatus();
  }

  absl::Status CommitCreate(std::string_view marker, const store::TokenRecord& token,
                            const std::optional<store::CredentialRecord>& credential) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    const auto create = FindCreate(marker);
    if (create == creates_.end()) return Refuse(Reason::kInternal, "The marker is unknown.");
    RETURN_IF_ERROR(CheckCommit(*create, token, credential));
    if (tokens_.contains(token.name)) return Refuse(Reason::kInternal, "The token is there already.");
    if (credential.has_value()) RETURN_IF_ERROR(Insert(*credential));
    KeepToken(token);
    create->phase = store::CreatePhase::kCommitted;
    create->token = token.name;
    return absl::OkStatus();
  }

  absl::Status EndCreate(std::string_view marker, store::CreatePhase phase) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    RETURN_IF_ERROR(store::CheckEnd(phase));
    const auto create = FindCreate(marker);
    if (create == creates_.end()) return Refuse(Reason::kInternal, "The marker is unknown.");
    create->phase = phase;
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<store::CreateIntent>> OpenCreates() override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Call());
    std::vector<store::CreateIntent> open;
    for (const store::CreateIntent& create : creates_) {
      if (create.phase == store::CreatePhase::kIntended || create.phase == store::CreatePhase::kCommitted) {
        open.push_back(create);
      }
    }
    return open;
  }

  absl::Status BeginRotation(const store::Rotation& rotation) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    RETURN_IF_ERROR(CheckRotation(rotation));
    const auto found = credentials_.find(rotation.credential);
    if (found == credentials_.end()) return UnknownCredential();
    RETURN_IF_ERROR(CheckRotated(rotation, found->second));
    for (const store::Rotation& other : rotations_) {
      const bool live = other.credential == rotation.credential && other.phase != store::RotationPhase::kRetiring;
      if (live || other.marker == rotation.marker) return Refuse(Reason::kInternal, "The rotation is not new.");
    }
    found->second.state = store::CredentialState::kRotating;
    rotations_.push_back(rotation);
    return absl::OkStatus();
  }

  absl::Status StoreRotation(std::string_view marker, const store::TokenRecord& token,
                             const store::SealedValue& secret) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    ASSIGN_OR_RETURN(store::Rotation * rotation, FindRotation(marker));
    RETURN_IF_ERROR(CheckStored(*rotation, token, secret));
    if (!KeepToken(token)) return Refuse(Reason::kInternal, "The token is there already.");
    sealed_values_.insert_or_assign(secret.name, secret.secret);
    rotation->phase = store::RotationPhase::kStored;
    rotation->token = token.name;
    return absl::OkStatus();
  }

  absl::Status PromoteRotation(std::string_view marker, const store::CredentialRecord& credential) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    ASSIGN_OR_RETURN(store::Rotation * rotation, FindRotation(marker));
    const auto before = credentials_.find(rotation->credential);
    if (before == credentials_.end()) return UnknownCredential();
    RETURN_IF_ERROR(CheckPromoted(*rotation, before->second, credential));
    const auto token = tokens_.find(*rotation->token);
    if (token == tokens_.end()) return Refuse(Reason::kUnknownToken, "The token is gone.");
    for (auto& [name, record] : tokens_) {
      if (record.credential == rotation->credential) record.credential.reset();
    }
    token->second.credential = rotation->credential;
    tokens_.try_emplace(rotation->retiring, RetiringRecord(*rotation, before->second));
    for (store::CreateIntent& create : creates_) {
      if (create.token == rotation->retiring) create.token = rotation->token;
    }
    before->second = credential;
    sealed_values_.erase(store::RotationSecretName(marker));
    rotation->phase = store::RotationPhase::kPromoted;
    return absl::OkStatus();
  }

  absl::Status NoteRetiring(std::string_view marker, const std::optional<absl::Time>& last_used_on,
                            absl::Time still_since) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    ASSIGN_OR_RETURN(store::Rotation * rotation, FindRotation(marker));
    RETURN_IF_ERROR(CheckRetiring(*rotation));
    rotation->phase = store::RotationPhase::kRetiring;
    rotation->last_used_on = last_used_on;
    rotation->still_since = still_since;
    return absl::OkStatus();
  }

  absl::Status EndRotation(std::string_view marker) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    const absl::StatusOr<store::Rotation*> found = FindRotation(marker);
    if (!found.ok()) return absl::OkStatus();
    const store::Rotation rotation = **found;
    if (IsPromoted(rotation)) {
      ForgetToken(rotation.retiring);
    } else {
      sealed_values_.erase(store::RotationSecretName(marker));
      if (rotation.token.has_value()) ForgetToken(*rotation.token);
      const auto credential = credentials_.find(rotation.credential);
      const bool is_there = credential != credentials_.end();
      if (is_there && credential->second.state == store::CredentialState::kRotating) {
        credential->second.state = store::CredentialState::kActive;
      }
    }
    std::erase_if(rotations_, [&](const store::Rotation& each) { return each.marker == marker; });
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<store::Rotation>> ListRotations() override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Call());
    return rotations_;
  }

  absl::StatusOr<std::vector<store::SealedValue>> ListSealedValues() override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Call());
    std::vector<store::SealedValue> values;
    for (const auto& [name, secret] : sealed_values_) values.push_back({.name = name, .secret = secret});
    return values;
  }

  absl::Status PutSealedValue(const store::SealedValue& value) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    sealed_values_.insert_or_assign(value.name, value.secret);
    return absl::OkStatus();
  }

  absl::Status ReplaceSealedValue(const store::SealedValue& value) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    if (const auto found = sealed_values_.find(value.name); found != sealed_values_.end()) {
      found->second = value.secret;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<std::string>> GetSetting(std::string_view name) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Call());
    const auto found = settings_.find(name);
    return found == settings_.end() ? std::nullopt : std::optional(found->second);
  }

  absl::Status PutSetting(std::string_view name, const std::optional<std::string>& value) override {
    const MutexLock lock(mutex_);
    RETURN_IF_ERROR(Change());
    if (value.has_value()) {
      settings_.insert_or_assign(std::string(name), *value);
    } else {
      settings_.erase(std::string(name));
    }
    return absl::OkStatus();
  }

 private:
  static constexpr crypto::ValueBinding kKeyBinding{store::StoreKey::kName};

  static absl::Status UnknownCredential() {
    return Refuse(Reason::kUnknownCredential, "The broker has no such credential.");
  }

  absl::Status Call() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (failing_ && failing_()) return Refuse(Reason::kStoreUnavailable, "The test made the store fail.");
    if (good_calls_ > 0) {
      --good_calls_;
    } else if (bad_calls_ > 0) {
      --bad_calls_;
      return Refuse(Reason::kStoreUnavailable, "The test made the store fail.");
    }
    return absl::OkStatus();
  }

  // The same for a change.
  absl::Status Change() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    RETURN_IF_ERROR(Call());
    return locked_ ? Refuse(Reason::kSealed, "The store is locked.") : absl::OkStatus();
  }

  absl::Status Insert(const store::CredentialRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (credentials_.emplace(record.name, record).second) return absl::OkStatus();
    return Refuse(Reason::kCredentialExists, "The broker has this credential already.");
  }

  std::int64_t TokensOf(std::string_view caller) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return std::count_if(creates_.begin(), creates_.end(), [&](const store::CreateIntent& create) {
      const bool open = create.phase == store::CreatePhase::kIntended;
      return create.caller == caller && (open || (create.token.has_value() && tokens_.contains(*create.token)));
    });
  }

  // With its lease. False when it is there already.
  bool KeepToken(const store::TokenRecord& token) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (token.expire_time.has_value()) leases_.emplace(token.name, store::LeaseOf(token));
    return tokens_.emplace(token.name, token).second;
  }
  void ForgetToken(const TokenName& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    leases_.erase(name);
    tokens_.erase(name);
  }

  store::TokenRecord WithLease(store::TokenRecord record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto lease = leases_.find(record.name);
    if (lease != leases_.end()) record.expire_time = lease->second.expire_time;
    return record;
  }

  void Remove(const CredentialName& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (auto& [token, record] : tokens_) {
      if (record.credential == name) record.credential.reset();
    }
    credentials_.erase(name);
  }

  std::vector<store::CreateIntent>::iterator FindCreate(std::string_view marker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return std::find_if(creates_.begin(), creates_.end(), [&](const auto& create) { return create.marker == marker; });
  }

  absl::StatusOr<store::Rotation*> FindRotation(std::string_view marker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (store::Rotation& rotation : rotations_) {
      if (rotation.marker == marker) return &rotation;
    }
    return Refuse(Reason::kInternal, "The marker is unknown.");
  }

  Mutex mutex_;
  int good_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  int bad_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::function<bool()> failing_ ABSL_GUARDED_BY(mutex_);
  bool locked_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, store::SealedSecret> sealed_values_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string, std::less<>> settings_ ABSL_GUARDED_BY(mutex_);
  std::map<CredentialName, store::CredentialRecord> credentials_ ABSL_GUARDED_BY(mutex_);
  std::map<TokenName, store::TokenRecord> tokens_ ABSL_GUARDED_BY(mutex_);
  std::map<TokenName, store::LeaseRecord> leases_ ABSL_GUARDED_BY(mutex_);
  std::vector<store::CreateIntent> creates_ ABSL_GUARDED_BY(mutex_);
  std::vector<store::Rotation> rotations_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker
