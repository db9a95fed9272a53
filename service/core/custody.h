#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/base/names.h"
#include "service/base/secret.h"
#include "service/core/lockout_guard.h"
#include "service/core/open_keys.h"
#include "service/crypto/envelope.h"
#include "service/portal/secret_forms.h"
#include "service/portal/token_replies.h"
#include "service/sign/signer.h"
#include "service/store/records.h"
#include "service/store/store.h"

namespace lmbroker::core {

// The keys that the broker holds, opened, in memory, by their handles; and the only way in which they come and go. What
// is here is in the store: a change is on disk before it is seen. Safe for concurrent use; Lookup never waits for the
// disk.
//
// While it is locked it has the descriptions without the keys, and refuses uses and changes with SEALED.
class Custody {
 public:
  // One credential with its key. Immutable: a change makes another one, and a call in flight keeps what it has.
  struct Entry {
    OpenKeys::Place place;           // of the key
    std::stop_token recalled;        // a stop request means that whoever has this is to let go of it
    store::CredentialRecord record;  // without its sealed bytes
    // When the lease of its token ends, if it has one: from then on nothing is signed with the key.
    std::optional<absl::Time> expire_time;
    sign::Key key;
    portal::SecretForms forms;            // of the key, for the scrubbing of replies
    std::shared_ptr<LockoutGuard> guard;  // of the key: the same for all descriptions of one secret
  };

  // Opens every secret of the store. All must outlive the custody. FAILED_PRECONDITION naming every credential that the
  // key ring does not open: then nothing is served.
  static absl::StatusOr<std::unique_ptr<Custody>> Open(store::Store& store, const crypto::Envelope& envelope,
                                                       const Clock& clock);
  // The same, locked: opens nothing.
  static absl::StatusOr<std::unique_ptr<Custody>> OpenLocked(store::Store& store, const crypto::Envelope& envelope,
                                                             const Clock& clock);

  // Opens every secret of the store with the keys of `candidate`; FAILED_PRECONDITION naming the versions and
  // credentials when one does not open. If all do, `commit` is called, which puts those keys in force, or refuses;
  // nothing is sealed meanwhile, so no record is left behind with older keys. Then the custody is unlocked, with what
  // the store has now; one that is unlocked already keeps what it has. An error means that the custody is as it was,
  // but for one that comes of the store, or of too little locked memory, after `commit` has succeeded.
  absl::Status Unlock(const crypto::Envelope& candidate, absl::FunctionRef<absl::Status()> commit);
  // Lets go of every key; `commit` takes the key-encryption keys away in the same moment. Calls in flight keep theirs.
  void Lock(absl::FunctionRef<void()> commit);
  bool locked() const;
  // Asks those who still have a key to let go of it. Once locked.
  void Recall();
  // How many keys are still open somewhere, once there is none or `timeout` is over.
  int WaitUntilWiped(absl::Duration timeout) { return open_keys_->WaitForNone(timeout); }

  // Records that are wrapped with one version of the key-encryption keys, and all.
  struct Wrapped {
    int done = 0;
    int total = 0;
  };
  Wrapped WrappedWith(std::uint32_t version) const;
  // Wraps records that are wrapped with another version again with the primary one, `most` of them; others may change
  // records in between. What cannot be wrapped is left as it is; the first error. Goes on where it was, however it was
  // ended. OK while locked.
  absl::Status Rewrap(std::uint32_t primary, std::size_t most);

  // For signing, and taken as a use. UNKNOWN_CREDENTIAL; SEALED; CREDENTIAL_DISABLED, also while the token underneath
  // is known to be disabled at the portal, and once its lease has ended; CREDENTIAL_QUARANTINED, which is kept in
  // memory only: after a restart the portal says it again.
  absl::StatusOr<std::shared_ptr<const Entry>> Lookup(const CredentialName& name) const;

  // CREDENTIAL_DISABLED once the lease of its token has ended: for who has looked it up earlier, and signs now.
  static absl::Status CheckLease(const Entry& entry, absl::Time now);

  // Whatever its state; no use. UNKNOWN_CREDENTIAL, SEALED.
  absl::StatusOr<std::shared_ptr<const Entry>> Find(const CredentialName& name) const;
  bool Has(const CredentialName& name) const;
  // What is known of it, without the sealed bytes. UNKNOWN_CREDENTIAL.
  absl::StatusOr<store::CredentialRecord> Describe(const CredentialName& name) const;
  // All of one portal, by id; all portals when unset.
  std::vector<store::CredentialRecord> List(const std::optional<PortalName>& portal) const;

  // Whether there is locked memory for one more key. TOO_MANY_TOKENS.
  static absl::Status CheckRoom();

  // Seals and stores a new credential. CREDENTIAL_EXISTS, SEALED, TOO_MANY_TOKENS as CheckRoom.
  absl::Status Import(store::CredentialRecord record, Secret secret);
  // The same for a created token, in one transaction with the end of its create intent.
  absl::Status Adopt(std::string_view marker, const store::TokenRecord& token, store::CredentialRecord record,
                     Secret secret);
  // Enabling ends a quarantine, too. UNKNOWN_CREDENTIAL, SEALED.
  absl::StatusOr<store::CredentialRecord> SetStatus(const CredentialName& name, TokenStatus status);
  // UNKNOWN_CREDENTIAL, SEALED. The secret is wiped when the last call that uses it has ended.
  absl::Status Remove(const CredentialName& name);
  // Forgets a token that is gone at the portal, and the credential bound to it. OK when neither is known. SEALED.
  absl::Status ForgetToken(const TokenName& token);

  // The steps of a rotation that change what is held, each as store::Store has it. A rotation is of one thread at a
  // time. UNKNOWN_CREDENTIAL, SEALED; CREDENTIAL_DISABLED once the lease of its token has ended.
  absl::Status BeginRotation(const store::Rotation& rotation);
  // Seals the new secret. The new token's lease ends when that of the old one does.
  absl::Status StoreRotation(const store::Rotation& rotation, store::TokenRecord token, const Secret& secret);
  // What the credential will be, with the key that is stored for it: to be tried.
  absl::StatusOr<std::shared_ptr<const Entry>> FindStored(const store::Rotation& rotation) const;
  // Whether some call still has a key. Expires with the last one.
  using Use = std::weak_ptr<const LockoutGuard>;
  // Lookup gives the new key from now on; calls in flight keep the old one, of which the answer is the use.
  // CREDENTIAL_DISABLED, and nothing is changed: the old token is known to be disabled at the portal by now, or its
  // lease has ended.
  // UNKNOWN_TOKEN: the new one was forgotten meanwhile.
  absl::StatusOr<Use> PromoteRotation(const store::Rotation& rotation);
  absl::Status EndRotation(const store::Rotation& rotation);
  // Whether the credential still is what the rotation began with.
  bool Stands(const store::Rotation& rotation) const;

  // A stop request means that whoever has a key is to let go of it.
  std::stop_token recalled() const;
  // Writes a lease whose end has changed, and signs accordingly. UNKNOWN_TOKEN if there is none (any more), SEALED.
  absl::Status ChangeLease(const store::LeaseRecord& lease);

  // What the portal says of its tokens' status; `tokens` in ascending order of id. Kept in memory only: it makes a
  // refusal clear, the portal makes it safe.
  void LearnTokenStatus(const PortalName& portal, std::span<const portal::LmToken> tokens);

  // Writes the times of last use that the store does not have yet; the first failure. None while locked.
  absl::Status SaveUses();

 private:
  struct Row {
    std::shared_ptr<const Entry> entry;
    std::uint32_t key_version = 0;  // that wraps it in the store
    TokenStatus token_status = TokenStatus::kEnabled;
    mutable std::optional<absl::Time> last_use;  // since it was last stored
  };
  using Rows = std::map<CredentialName, Row>;

  Custody(store::Store& store, const crypto::Envelope& envelope, const Clock& clock)
      : store_(store), envelope_(envelope), clock_(clock) {}

  // Seals `secret` into `record`.
  absl::Status Seal(store::CredentialRecord& record, const Secret& secret) const;
  void Show(store::CredentialRecord record, Secret secret, std::optional<absl::Time> expire_time)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(changes_);
  // Without a key when `secret` is empty.
  std::shared_ptr<const Entry> MakeEntry(store::CredentialRecord record, Secret secret,
                                         std::shared_ptr<LockoutGuard> guard,
                                         std::optional<absl::Time> expire_time) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The same key, or none, under another description.
  std::shared_ptr<const Entry> Redescribed(const Entry& entry, store::CredentialRecord record) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // When the leases of the store end, by token.
  using Ends = std::map<TokenName, absl::Time>;
  absl::StatusOr<Ends> EndsOfLeases() const;
  static std::optional<absl::Time> EndOf(const store::CredentialRecord& record, const Ends& ends);
  absl::StatusOr<Row> RowOf(const CredentialName& name) const;
  // SEALED while it is locked.
  absl::Status CheckUnlocked() const;
  absl::Status RewrapOne(const CredentialName& name, std::uint32_t primary);
  // Every record of the store, and its secret.
  using OpenedRecords = std::vector<std::pair<store::CredentialRecord, Secret>>;
  absl::StatusOr<OpenedRecords> OpenAll(const crypto::Envelope& candidate) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(changes_);
  // The row as it is to be stored, and as it is shown.
  static store::CredentialRecord Stored(const Row& row);
  static store::CredentialRecord Shown(const Row& row);
  // Of what is shown; the store has it already.
  void SetState(const CredentialName& name, store::CredentialState state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(changes_);
  // Writes `record`, the description of what `row` holds, with that row's seal.
  absl::Status Rewrite(const store::CredentialRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(changes_);

  store::Store& store_;
  const crypto::Envelope& envelope_;
  const Clock& clock_;
  const std::shared_ptr<OpenKeys> open_keys_ = std::make_shared<OpenKeys>();
  Mutex changes_;  // one change at a time, held over its disk write, so that memory and store agree; taken first
  mutable Mutex mutex_;
  Rows rows_ ABSL_GUARDED_BY(mutex_);
  bool locked_ ABSL_GUARDED_BY(mutex_) = true;
  std::stop_source recall_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::core
