#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/names.h"
#include "service/crypto/envelope.h"
#include "service/store/records.h"

namespace lmbroker::store {

// What the broker remembers. Every method is one transaction: done and on disk when it returns OK, without effect
// otherwise. Blocks on the disk; never call it from the data path. Safe for concurrent use.
// A store opens locked: what it holds can be read, but was not verified, and every change is refused with SEALED until
// Unlock.
// STORE_UNAVAILABLE when the disk or database fails. (If the very disk fails while it is told to keep a change, that
// change may be there after a restart all the same; never half of it.)
// INTERNAL for records that contradict themselves or the store: a defect of the caller.
class Store {
 public:
  virtual ~Store() = default;

  // Opens the store's own key with the `envelope` (a new store gets one, sealed with it), verifies with it everything
  // that is stored, and lets changes in. Each call verifies anew. SEALED, and the store is locked: the key does not
  // open, or the store is not what the broker wrote last; the message says what was found and what to do.
  virtual absl::Status Unlock(const crypto::Envelope& envelope) = 0;
  // Wipes the store's key. Waits for the change that is under way.
  virtual void Lock() = 0;

  // CREDENTIAL_EXISTS if the name is taken.
  virtual absl::Status InsertCredential(const CredentialRecord& record) = 0;
  // UNKNOWN_CREDENTIAL if there is none.
  virtual absl::StatusOr<CredentialRecord> GetCredential(const CredentialName& name) = 0;
  // All of one portal, by id; all portals when unset.
  virtual absl::StatusOr<std::vector<CredentialRecord>> ListCredentials(const std::optional<PortalName>& portal) = 0;
  // Replaces all but the name; UNKNOWN_CREDENTIAL if there is none.
  virtual absl::Status UpdateCredential(const CredentialRecord& record) = 0;
  // UNKNOWN_CREDENTIAL if there is none. Tokens that point to it are unbound in the same transaction.
  virtual absl::Status DeleteCredential(const CredentialName& name) = 0;

  // UNKNOWN_TOKEN if the broker did not create it.
  virtual absl::StatusOr<TokenRecord> GetToken(const TokenName& name) = 0;
  // All of one portal, by admin and id.
  virtual absl::StatusOr<std::vector<TokenRecord>> ListTokens(const PortalName& portal) = 0;
  // Forgets the token, its lease, and every credential whose `token` it is. OK when there is none of them.
  virtual absl::Status DeleteToken(const TokenName& name) = 0;

  // UNKNOWN_TOKEN if the token has no lease.
  virtual absl::StatusOr<LeaseRecord> GetLease(const TokenName& token) = 0;
  // By portal, admin and id.
  virtual absl::StatusOr<std::vector<LeaseRecord>> ListLeases(const LeaseSelection& selection) = 0;
  // The leases of a portal in `state` whose next step is due at `now`, the one that has waited longest first; `most` of
  // them. Does not grow with the number of leases.
  virtual absl::StatusOr<std::vector<LeaseRecord>> DueLeases(const PortalName& portal, LeaseState state, absl::Time now,
                                                             int most) = 0;
  virtual absl::StatusOr<std::int64_t> CountStuckLeases(const PortalName& portal) = 0;
  // Replaces all but the token. UNKNOWN_TOKEN if it has no lease (any more).
  virtual absl::Status UpdateLease(const LeaseRecord& lease) = 0;

  // Step 1 of a create: the durable intent, phase kIntended, without token. The marker must be new. TOO_MANY_TOKENS
  // when the caller of the intent has `most_tokens` already, at all portals together: tokens that it created and that
  // are not deleted, and creates that have not ended. Of creates that begin at the same time none takes another's
  // place.
  virtual absl::Status BeginCreate(const CreateIntent& intent, std::optional<int> most_tokens) = 0;
  // Step 3: the intent becomes kCommitted with its token, and token (its lease, if it has an `expire_time`, and its
  // credential, in custody) appear; all or none.
  // The intent must be in kIntended and the token new and of its admin; token and credential name each other, and in
  // hand-over there is no credential. CREDENTIAL_EXISTS if the handle was taken meanwhile.
  virtual absl::Status CommitCreate(std::string_view marker, const TokenRecord& token,
                                    const std::optional<CredentialRecord>& credential) = 0;
  // Step 4 done (kFinished), or the create given up (kAbandoned). INTERNAL if the marker is unknown.
  virtual absl::Status EndCreate(std::string_view marker, CreatePhase phase) = 0;
  // Creates that are neither finished nor abandoned, oldest first: what recovery starts from.
  virtual absl::StatusOr<std::vector<CreateIntent>> OpenCreates() = 0;

  // A rotation begins: the durable intent, phase kIntended, and its credential becomes kRotating. The marker must be
  // new, the credential have the version before and the retiring token, and no other rotation that has not come to
  // kRetiring. UNKNOWN_CREDENTIAL if there is none.
  virtual absl::Status BeginRotation(const Rotation& rotation) = 0;
  // kIntended becomes kStored: the new token appears, without credential yet, and its secret among the sealed values,
  // under RotationSecretName.
  virtual absl::Status StoreRotation(std::string_view marker, const TokenRecord& token, const SealedValue& secret) = 0;
  // kStored becomes kPromoted: `credential`, with the new secret, takes the place of the one that it was; the new token
  // is bound to it, and counts for whoever created the old one; that is unbound, and known to be the broker's even if
  // it was imported; the sealed value goes.
  virtual absl::Status PromoteRotation(std::string_view marker, const CredentialRecord& credential) = 0;
  // kPromoted becomes kRetiring, and stays so: how the retiring token, which is disabled, was found.
  virtual absl::Status NoteRetiring(std::string_view marker, const std::optional<absl::Time>& last_used_on,
                                    absl::Time still_since) = 0;
  // The rotation is over, and forgotten. Before kPromoted it is given up: the new token and the sealed value go, and
  // the credential is kActive again. From then on the retiring token goes. OK when the marker is unknown.
  virtual absl::Status EndRotation(std::string_view marker) = 0;
  // Those that have not ended, oldest first.
  virtual absl::StatusOr<std::vector<Rotation>> ListRotations() = 0;

  // Secrets of the broker's own, the store's key among them, by name: what is to be wrapped again when the key ring
  // changes, beside the credentials.
  virtual absl::StatusOr<std::vector<SealedValue>> ListSealedValues() = 0;
  // In the place of the one that has the name, if there is one.
  virtual absl::Status PutSealedValue(const SealedValue& value) = 0;
  // The same, but without effect when there is none by now.
  virtual absl::Status ReplaceSealedValue(const SealedValue& value) = 0;

  // What the broker has to know after a restart, by name; nothing when it is not set.
  virtual absl::StatusOr<std::optional<std::string>> GetSetting(std::string_view name) = 0;
  // Unset with no value.
  virtual absl::Status PutSetting(std::string_view name, const std::optional<std::string>& value) = 0;
};

}  // namespace lmbroker::store
