#pragma once

#include <optional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/names.h"
#include "service/base/scheduler.h"
#include "service/core/custody.h"
#include "service/core/portal_session.h"
#include "service/http/request.h"
#include "service/portal/portal_health.h"
#include "service/portal/token_replies.h"
#include "service/store/store.h"

namespace lmbroker::core {

// How far a rotation came in one go, and why no further.
struct RotationProgress {
  enum class State {
    kOpen,      // some step failed and can be tried again: all is as the store has it
    kPromoted,  // the credential has the new token
    kGivenUp,   // the new token is gone, the old one in use, the rotation forgotten
  };
  State state = State::kOpen;
  absl::Status cause;                    // OK when promoted
  std::optional<portal::LmToken> token;  // the new one, where this go has seen it
  Custody::Use use;                      // of the old key, where this go promoted
};

// The steps in which a credential gets a new token in the place of its old one (design, section 6). Each one goes from
// what the store has to what it has next, so a rotation goes on from wherever it stopped, whoever calls:
//
//   kIntended   POST, disabled and marked; its secret sealed and stored
//   kStored     the real note, enabled; tried with its own key; promoted
//   kPromoted   the old one disabled, with the new key where it is the master's
//   kRetiring   the old one looked at until it has stood still for kGrace; deleted
//
// The credential has a key that works in every one of them: the old one is enabled until the new one was proved to work
// and is what the store has. What is gone at the portal already is as good as deleted. For one rotation one thread at a
// time; `rotation` is kept up to date. The parts must outlive it.
class RotationSteps {
 public:
  struct Parts {
    store::Store& store;
    Custody& custody;
    const Clock& clock;
    Scheduler& scheduler;
    const portal::PortalHealths& healths;
    Logger& logger;
  };

  // How long a disabled token must not have been used before it is deleted, by the portal's clock: time for whoever
  // else had its key to complain, and for an operator to enable it again, which keeps it. Longer than the half hour for
  // which LM takes a signature.
  static constexpr absl::Duration kGrace = absl::Hours(1);

  explicit RotationSteps(const Parts& parts) : parts_(parts) {}

  // From kIntended, where nothing was sent yet, with the POST of the new token.
  RotationProgress Start(PortalSession& session, store::Rotation& rotation, http::CanonicalRequest post) const;
  // The same for one that was found in the store, in kIntended or kStored: of the former nobody knows whether the POST
  // was sent, so it is given up.
  RotationProgress GoOn(PortalSession& session, store::Rotation& rotation) const;

  // From kPromoted: disables the old token. OK when the rotation is in kRetiring or ended.
  absl::Status Disable(PortalSession& session, store::Rotation& rotation) const;
  // Whether it is time to look at the old token.
  bool IsDue(const store::Rotation& rotation) const;
  // From kRetiring: looks at the old token, and deletes it when it has stood still.
  absl::Status Watch(PortalSession& session, store::Rotation& rotation) const;

  // Blocks this thread; the clock is the scheduler's.
  void Pause(absl::Duration time) const;

 private:
  RotationProgress AfterFailedPost(PortalSession& session, const store::Rotation& rotation,
                                   const absl::Status& failure) const;
  RotationProgress Finish(PortalSession& session, store::Rotation& rotation) const;
  absl::Status Enable(PortalSession& session, const store::Rotation& rotation, const TokenName& name,
                      std::optional<portal::LmToken>& token) const;
  absl::StatusOr<bool> Works(PortalSession& session, const store::Rotation& rotation) const;
  RotationProgress GiveUp(PortalSession& session, const store::Rotation& rotation, const TokenName& token,
                          const absl::Status& cause) const;
  absl::Status End(const store::Rotation& rotation) const;
  absl::Status Note(store::Rotation& rotation, const std::optional<absl::Time>& last_used_on) const;
  absl::Time PortalTime(const PortalName& portal) const;

  const Parts parts_;
};

}  // namespace lmbroker::core
