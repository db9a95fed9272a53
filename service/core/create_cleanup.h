#pragma once

#include <optional>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/names.h"
#include "service/core/custody.h"
#include "service/core/portal_session.h"
#include "service/portal/token_replies.h"
#include "service/store/store.h"

namespace lmbroker::core {

// The ends of a two-phase create, good and bad: each leaves either a finished token, or none, or an open intent in the
// store from which recovery goes on. What the caller's time does not suffice for is done in the background, once; the
// intent stays open when that fails, too.
class CreateCleanup {
 public:
  struct Parts {
    const Clock& clock;
    store::Store& store;
    Custody& custody;
    Executor& background;
  };

  // `expire_time` is the end of the token's lease, if it is to have one.
  CreateCleanup(const Parts& parts, const PortalSession& session, store::CreateIntent intent,
                std::optional<absl::Time> expire_time)
      : parts_(parts), session_(session.Urgent()), intent_(std::move(intent)), expire_time_(expire_time) {}

  // After a POST without a usable answer: what to tell the caller. A clear "no" stands as it is. Otherwise the portal
  // is searched for the marker: a token that has it is deleted, since its secret is lost; then PORTAL_ERROR (nothing
  // changed). OUTCOME_UNKNOWN when the search fails, or when the portal may still be at work on the request: then the
  // most that can appear is a disabled token with the marker.
  absl::Status AfterFailedPost(const absl::Status& failure) const;

  // Takes the token back, at the portal and here; `cause` is why, and what the caller is told if that succeeds.
  // OUTCOME_UNKNOWN, with the token's name, otherwise.
  absl::Status Undo(const TokenName& name, const absl::Status& cause) const;

  // The last step: sets the note and status that were asked for, and brings `token` up to date. When the portal refuses
  // it, or fails to while the secret was to be handed over, or the lease has ended, the token is taken back.
  // OUTCOME_UNKNOWN, with the token's name, while it is still open.
  absl::Status Complete(portal::LmToken& token) const;

 private:
  absl::StatusOr<int> DeleteMarked(PortalSession& session) const;
  absl::Status TakeBack(PortalSession& session, const TokenName& name) const;
  absl::Duration TimeLeft() const;  // of the lease
  absl::Status SetNoteAndStatus(PortalSession& session, portal::LmToken& token) const;
  void InBackground(absl::AnyInvocable<void(const CreateCleanup&, PortalSession&)> work) const;
  void End(store::CreatePhase phase) const;

  Parts parts_;
  PortalSession session_;
  store::CreateIntent intent_;
  std::optional<absl::Time> expire_time_;
};

}  // namespace lmbroker::core
