#pragma once

// Rows of the store as plain values. Times are kept in whole microseconds.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/time/time.h>

#include "service/base/names.h"
#include "service/base/token.h"
#include "service/crypto/sealed_secret.h"

namespace lmbroker::store {

using crypto::SealedSecret;

enum class CredentialState { kActive, kQuarantined, kRotating };

// The broker's handle on one secret.
struct CredentialRecord {
  CredentialName name;
  TokenType type = TokenType::kLmv1;
  std::string access_id;  // LMv1; empty for Bearer unless known
  bool master = false;
  TokenStatus status = TokenStatus::kEnabled;
  CredentialState state = CredentialState::kActive;
  std::optional<TokenName> token;  // the LM token underneath, if known
  std::int64_t version = 1;        // of the secret; bound into the seal
  absl::Time create_time;
  std::optional<absl::Time> rotate_time;
  std::optional<absl::Time> last_use_time;
  SealedSecret secret;
};

// Where the secret of a token that the broker created went.
enum class TokenCustody { kBroker, kHandedOver };

struct TokenRecord {
  TokenName name;
  TokenType type = TokenType::kLmv1;
  TokenCustody custody = TokenCustody::kBroker;
  std::optional<CredentialName> credential;  // set when custody is kBroker and the handle still points here
  std::string access_id;
  absl::Time create_time;
  std::optional<absl::Time> expire_time;  // of its lease, if it has one
};

// How far the end of a lease has come.
enum class LeaseState {
  kActive,    // the token is to be disabled at `next_time`
  kDisabled,  // it is, and is to be deleted at `next_time`
  kStuck,     // the next step failed for good, and is only tried seldom
};

// The promise that a token ends: disabled at `expire_time`, deleted some time after it.
struct LeaseRecord {
  TokenName token;
  absl::Time expire_time;
  LeaseState state = LeaseState::kActive;
  std::optional<absl::Time> disable_time;  // when the portal said that it is disabled
  absl::Time next_time;                    // when the next step is due
  int attempts = 0;                        // of that step, all of them failed
  std::string last_error;                  // of the last one

  bool operator==(const LeaseRecord&) const = default;
};

// Which leases to list.
struct LeaseSelection {
  std::optional<PortalName> portal;
  bool stuck_only = false;
  std::optional<TokenName> after;  // only what comes behind this one
  std::optional<int> most;
};

// How far a two-phase create came (design, section 6). Each step is durable before the next leaves.
enum class CreatePhase {
  kIntended,   // written before the POST: a disabled, marked token may exist at the portal
  kCommitted,  // secret sealed and stored; the real note and status may still be open at LM
  kFinished,   // all done
  kAbandoned,  // the POST was refused, or its token was removed again
};

struct CreateIntent {
  std::string marker;  // unique; the token's note at the portal until the create is finished
  AdminName admin;
  TokenType type = TokenType::kLmv1;
  std::string note;  // the note to set at the end
  TokenStatus status = TokenStatus::kEnabled;
  bool hand_over = false;
  std::optional<CredentialName> credential;  // the handle to bind, unless handed over
  std::string caller;                        // the policy's name of who asked
  CreatePhase phase = CreatePhase::kIntended;
  std::optional<TokenName> token;  // once known
  absl::Time create_time;
};

// How far the rotation of a credential came (design, section 6). Each step is durable before the next leaves.
enum class RotationPhase {
  kIntended,  // written before the POST: a disabled, marked token may exist at the portal
  kStored,    // the new token's secret is sealed and stored; the credential still has the old one
  kPromoted,  // the credential has the new one; the old token may still be enabled
  kRetiring,  // the old token is disabled, and to be deleted once it has stood still
};

// One token of a credential in the place of another, until the old one is deleted.
struct Rotation {
  std::string marker;  // unique; the new token's note at the portal until it is enabled
  CredentialName credential;
  TokenName retiring;  // the token that is replaced; its admin is the new one's, too
  TokenType type = TokenType::kLmv1;
  std::string note;          // the note to set
  std::int64_t version = 2;  // of the secret that it brings
  std::string caller;        // the policy's name of who asked,
  std::string rule;          // the rule that allowed it,
  std::string request_id;    // and the request
  RotationPhase phase = RotationPhase::kIntended;
  std::optional<TokenName> token;          // the new one, once its secret is stored
  std::optional<absl::Time> last_used_on;  // of the retiring token, at the last look; the portal's time, as the next is
  std::optional<absl::Time> still_since;   // since when it is known not to have changed
  absl::Time create_time;
};

// The name among the sealed values of the secret that a rotation has stored and not promoted yet.
inline std::string RotationSecretName(std::string_view marker) { return "rotation " + std::string(marker); }

// A secret of the broker's own, by a name of the program's, sealed under that name (crypto::ValueBinding).
struct SealedValue {
  std::string name;
  SealedSecret secret;

  bool operator==(const SealedValue&) const = default;
};

}  // namespace lmbroker::store
