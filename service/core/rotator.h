#pragma once

#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/mutex.h"
#include "service/base/names.h"
#include "service/base/random.h"
#include "service/core/call_context.h"
#include "service/core/custody.h"
#include "service/core/portal_session.h"
#include "service/core/rotation_steps.h"
#include "service/core/token.h"
#include "service/store/store.h"

namespace lmbroker::core {

struct TokenRotation {
  TokenName name;
  std::string request_id;  // not possible yet: refused unless empty
};

struct RotatedToken {
  Token token;         // the new one
  TokenName retiring;  // the old one
};

// Rotation of credentials, those of portals' masters included: both RPCs, and what is left to do after them. A rotation
// is a row of the store (store::Rotation) on which one thread at a time takes the steps of RotationSteps: the call's
// that began it, as far as its time allows, and the background's from there on, also after a restart.
//
// A second call for a credential joins a rotation that is under way, and gets its result: a repeat after a lost answer
// finds out, and never makes a third token. Once the old token is disabled the credential can be rotated again.
// Safe for concurrent use; the parts must outlive it.
class Rotator {
 public:
  struct Parts {
    PortalSession::Parts portal;
    store::Store& store;
    Custody& custody;
    Random& random;
    Scheduler& scheduler;
    const portal::PortalHealths& healths;
    Logger& logger;
  };

  explicit Rotator(const Parts& parts);

  // The token that a caller knows by name gives way to a new one of the same user, type and note, under the same
  // credential. While the old one is there a repeat gives the same result.
  // FIELD_INVALID (`request_id`), NO_GRANT, UNKNOWN_PORTAL, NO_MASTER, UNKNOWN_TOKEN, NOT_IN_CUSTODY,
  // CREDENTIAL_DISABLED (it is disabled at the portal), CREDENTIAL_EXISTS (another credential has the same token),
  // QUEUE_FULL (an earlier rotation is not far enough), AUDIT_UNAVAILABLE, STORE_UNAVAILABLE, what the portal refuses;
  // PORTAL_ERROR: the old key is in use, the new token gone; OUTCOME_UNKNOWN: not done yet, the background goes on.
  absl::StatusOr<RotatedToken> RotateToken(CallContext& context, const TokenRotation& wanted);

  // The same by the credential's name, for operators. UNKNOWN_CREDENTIAL; NOT_IN_CUSTODY: its token is not known.
  absl::StatusOr<store::CredentialRecord> RotateCredential(CallContext& context, const CredentialName& name);

  // Takes the next step of every rotation that no call is at work on and whose time has come. Blocks on portals; to be
  // called once a second by one thread. What failed is tried again after 1 s, then after twice as long each time up to
  // 5 min; nothing that comes of it is told but in the log.
  void Tend();
  // Ends what Tend is about; it does nothing from then on.
  void Stop() { stopping_.request_stop(); }

 private:
  // The right to take steps for one credential.
  class Claim {
   public:
    Claim(Rotator& rotator, CredentialName name) : rotator_(&rotator), name_(std::move(name)) {}
    Claim(Claim&& other) noexcept : rotator_(std::exchange(other.rotator_, nullptr)), name_(std::move(other.name_)) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() {
      if (rotator_ != nullptr) rotator_->GiveBack(name_);
    }

   private:
    Rotator* rotator_;
    CredentialName name_;
  };
  // When a rotation that failed is tried again.
  struct BackOff {
    int failures = 0;
    absl::Duration until;
  };
  // The old key of a promoted credential.
  struct OldKey {
    Custody::Use use;
    absl::Duration since;
  };
  // What both RPCs ask for.
  struct Wanted {
    store::CredentialRecord credential;
    portal::LmToken old;
    std::string marker;
    http::CanonicalRequest post;
    std::string rule;
  };

  absl::StatusOr<Claim> AwaitClaim(CallContext& context, const CredentialName& name);
  std::optional<Claim> TryClaim(const CredentialName& name);
  void GiveBack(const CredentialName& name);

  // Until the credential has another token than `wanted.old`; that is known to be disabled then, unless others use it.
  absl::StatusOr<RotationProgress> Rotate(CallContext& context, PortalSession& session, Wanted wanted);
  absl::StatusOr<RotationProgress> Begin(CallContext& context, PortalSession& session, Wanted wanted);
  // An earlier rotation of the credential goes on as far as it can. OK when it was one of `old`, or another can begin.
  absl::Status GoOn(CallContext& context, PortalSession& session, store::Rotation rotation, const TokenName& old);
  // Disables the old token if the calls that use its key end soon; else that is left to Tend.
  void Retire(CallContext& context, PortalSession& session, store::Rotation& rotation);
  void KeepUse(const store::Rotation& rotation, Custody::Use use);
  bool InUse(const std::string& marker) const;
  absl::StatusOr<std::optional<store::Rotation>> FindRotation(
      absl::FunctionRef<bool(const store::Rotation&)> wanted) const;
  // What became of a token that has no credential any more.
  absl::StatusOr<RotatedToken> Successor(PortalSession& session, const TokenName& name);

  bool IsTime(const store::Rotation& rotation) const;
  // One step of one that no call is at work on; false when the portal is not to be asked for others now.
  bool TendOne(const store::Rotation& rotation);
  absl::Status Step(store::Rotation& rotation);
  void NoteResult(const store::Rotation& rotation, const absl::Status& status);

  const Parts parts_;
  const RotationSteps steps_;
  std::stop_source stopping_;
  mutable Mutex mutex_;
  std::set<CredentialName> claimed_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, OldKey> old_keys_ ABSL_GUARDED_BY(mutex_);    // by marker
  std::map<std::string, BackOff> back_offs_ ABSL_GUARDED_BY(mutex_);  // by marker
  absl::Duration next_look_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

}  // namespace lmbroker::core
