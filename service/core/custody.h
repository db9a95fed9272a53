#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/base/names.h"
#include "service/base/secret.h"
#include "service/core/lockout_guard.h"
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
class Custody {
 public:
  // One credential with its key. Immutable: a change makes another one, and a call in flight keeps what it has.
  struct Entry {
    store::CredentialRecord record;  // without its sealed bytes
    sign::Key key;
    portal::SecretForms forms;            // of the key, for the scrubbing of replies
    std::shared_ptr<LockoutGuard> guard;  // of the key: the same for all descriptions of one secret
  };

  // Opens every secret of the store. All must outlive the custody. FAILED_PRECONDITION naming every credential that the
  // key ring does not open: then nothing is served.
  static absl::StatusOr<std::unique_ptr<Custody>> Open(store::Store& store, const crypto::Envelope& envelope,
                                                       const Clock& clock);

  // For signing, and taken as a use. UNKNOWN_CREDENTIAL; CREDENTIAL_DISABLED, also while the token underneath is known
  // to be disabled at the portal; CREDENTIAL_QUARANTINED, which is kept in memory only: after a restart the portal says
  // it again.
  absl::StatusOr<std::shared_ptr<const Entry>> Lookup(const CredentialName& name) const;

  // Whatever its state; no use. UNKNOWN_CREDENTIAL.
  absl::StatusOr<std::shared_ptr<const Entry>> Find(const CredentialName& name) const;
  bool Has(const CredentialName& name) const;
  // What is known of it, without the sealed bytes. UNKNOWN_CREDENTIAL.
  absl::StatusOr<store::CredentialRecord> Describe(const CredentialName& name) const;
  // All of one portal, by id; all portals when unset.
  std::vector<store::CredentialRecord> List(const std::optional<PortalName>& portal) const;

  // Seals and stores a new credential. CREDENTIAL_EXISTS.
  absl::Status Import(store::CredentialRecord record, Secret secret);
  // The same for a created token, in one transaction with the end of its create intent.
  absl::Status Adopt(std::string_view marker, const store::TokenRecord& token, store::CredentialRecord record,
                     Secret secret);
  // Enabling ends a quarantine, too. UNKNOWN_CREDENTIAL.
  absl::StatusOr<store::CredentialRecord> SetStatus(const CredentialName& name, TokenStatus status);
  // UNKNOWN_CREDENTIAL. The secret is wiped when the last call that uses it has ended.
  absl::Status Remove(const CredentialName& name);
  // Forgets a token that is gone at the portal, and the credential bound to it. OK when neither is known.
  absl::Status ForgetToken(const TokenName& token);

  // What the portal says of its tokens' status; `tokens` in ascending order of id. Kept in memory only: it makes a
  // refusal clear, the portal makes it safe.
  void LearnTokenStatus(const PortalName& portal, std::span<const portal::LmToken> tokens);

  // Writes the times of last use that the store does not have yet; the first failure.
  absl::Status SaveUses();

 private:
  struct Row {
    std::shared_ptr<const Entry> entry;
    TokenStatus token_status = TokenStatus::kEnabled;
    mutable std::optional<absl::Time> last_use;  // since it was last stored
  };
  using Rows = std::map<CredentialName, Row>;

  Custody(store::Store& store, const crypto::Envelope& envelope, const Clock& clock)
      : store_(store), envelope_(envelope), clock_(clock) {}

  // Seals `secret` into `record`.
  absl::Status Seal(store::CredentialRecord& record, const Secret& secret) const;
  void Show(store::CredentialRecord record, Secret secret);
  absl::StatusOr<Row> RowOf(const CredentialName& name) const;
  // The row as it is to be stored, and as it is shown.
  static store::CredentialRecord Stored(const Row& row);
  static store::CredentialRecord Shown(const Row& row);
  // Writes `record`, the description of what `row` holds, with that row's seal.
  absl::Status Rewrite(const store::CredentialRecord& record);

  store::Store& store_;
  const crypto::Envelope& envelope_;
  const Clock& clock_;
  Mutex changes_;  // one change at a time, held over its disk write, so that memory and store agree; taken first
  mutable Mutex mutex_;
  Rows rows_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::core
