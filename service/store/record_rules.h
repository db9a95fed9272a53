#pragma once

#include <cstdint>
#include <optional>

#include <absl/status/status.h>

#include "service/store/records.h"

namespace lmbroker::store {

// What every Store asks of the records that it is given, before it looks at its own. INTERNAL when one contradicts
// itself or its companions: no caller of the API can cause that, so it is a defect of ours.

// The token underneath is of the credential's portal, and the version counts from 1.
absl::Status CheckCredential(const CredentialRecord& record);

// A new intent: phase kIntended, no token yet, the handle (never with hand-over) in the admin's portal.
absl::Status CheckIntent(const CreateIntent& intent);

// TOO_MANY_TOKENS unless the intent's caller, who has `tokens`, may have one more.
absl::Status CheckMostTokens(const CreateIntent& intent, std::int64_t tokens, int most_tokens);

// Step 3 of `intent`: still in kIntended; the token is of its admin; credential and token name each other, or the
// secret is handed over and there is no credential.
absl::Status CheckCommit(const CreateIntent& intent, const TokenRecord& token,
                         const std::optional<CredentialRecord>& credential);

// The lease of a new token with an `expire_time`.
LeaseRecord LeaseOf(const TokenRecord& token);

// UNKNOWN_TOKEN, as every Store says it.
absl::Status NoLease(const TokenName& token);

// A create ends in kFinished or kAbandoned.
absl::Status CheckEnd(CreatePhase phase);

// A new rotation: phase kIntended, no token yet, all of it in one portal.
absl::Status CheckRotation(const Rotation& rotation);

// What the rotation begins with: it has the retiring token, and the version before.
absl::Status CheckRotated(const Rotation& rotation, const CredentialRecord& credential);

// The step to kStored: the token is of the retiring one's admin, in custody, and bound to nothing; the secret has its
// name.
absl::Status CheckStored(const Rotation& rotation, const TokenRecord& token, const SealedValue& secret);

// The step to kPromoted: `credential` is the rotation's, with its token and version, in the place of `before`.
absl::Status CheckPromoted(const Rotation& rotation, const CredentialRecord& before,
                           const CredentialRecord& credential);

// Whether the credential has the new token already.
bool IsPromoted(const Rotation& rotation);

// The retiring token as the broker's own, where it was imported with the credential that `before` describes.
TokenRecord RetiringRecord(const Rotation& rotation, const CredentialRecord& before);

// The step to kRetiring, or a later look.
absl::Status CheckRetiring(const Rotation& rotation);

}  // namespace lmbroker::store
