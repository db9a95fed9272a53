#include "service/core/create_cleanup.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/core/marked_create.h"
#include "service/portal/token_requests.h"

namespace lmbroker::core {
namespace {

constexpr absl::Duration kBackgroundTime = absl::Seconds(60);

// No later try of the same can do better.
bool IsFinal(const absl::Status& failure) {
  for (const Reason reason : {Reason::kPortalRejected, Reason::kPortalDenied, Reason::kPortalConflict,
                              Reason::kMasterRefused, Reason::kUnknownToken}) {
    if (IsRefusal(failure, reason)) return true;
  }
  return false;
}

absl::Status NothingChanged(std::string_view what, const absl::Status& cause) {
  return Refuse(Reason::kPortalError, fmt::format("{}; nothing has changed, repeat the request.", what),
                {.metadata = WithCause(cause)});
}

absl::Status StillOpen(const TokenName& name, std::string_view what, const absl::Status& cause) {
  auto metadata = WithCause(cause);
  metadata["token"] = name.ToString();
  return Refuse(Reason::kOutcomeUnknown,
                fmt::format("{}; the broker goes on in the background, get the token to see "
                            "how it ended.",
                            what),
                {.metadata = std::move(metadata)});
}

}  // namespace

absl::Status CreateCleanup::AfterFailedPost(const absl::Status& failure) const {
  if (!IsRefusal(failure, Reason::kOutcomeUnknown)) {
    End(store::CreatePhase::kAbandoned);
    return failure;
  }
  PortalSession session = session_;
  const absl::StatusOr<int> deleted = DeleteMarked(session);
  if (deleted.ok() && (*deleted > 0 || HasEnded(failure))) {
    End(store::CreatePhase::kAbandoned);
    return NothingChanged(*deleted > 0
                              ? "The portal created the token, but its answer with the secret was lost, so the "
                                "broker deleted the token again"
                              : "The portal failed, and the broker found no new token there",
                          failure);
  }
  if (!deleted.ok()) {
    InBackground([](const CreateCleanup& cleanup, PortalSession& own) {
      const absl::StatusOr<int> found = cleanup.DeleteMarked(own);
      if (found.ok() && *found > 0) cleanup.End(store::CreatePhase::kAbandoned);
    });
  }
  return Refuse(Reason::kOutcomeUnknown,
                "The portal did not say whether it created the token; at most a disabled one can appear, whose note "
                "starts with lmbroker:, so it is safe to create another.",
                {.metadata = WithCause(failure)});
}

absl::Status CreateCleanup::Undo(const TokenName& name, const absl::Status& cause) const {
  PortalSession session = session_;
  if (TakeBack(session, name).ok()) return cause;
  InBackground([name](const CreateCleanup& cleanup, PortalSession& own) { (void)cleanup.TakeBack(own, name); });
  return StillOpen(name, "The create failed and its token could not be deleted yet", cause);
}

absl::Status CreateCleanup::Complete(portal::LmToken& token) const {
  const TokenName name(intent_.admin, token.id);
  PortalSession session = session_;
  absl::Status done = SetNoteAndStatus(session, token);
  if (done.ok()) return done;
  if (IsFinal(done)) return Undo(name, done);
  if (TimeLeft() <= absl::ZeroDuration())
    return Undo(name,
                NothingChanged("The lease of the new token ended before the portal had taken its note and status, "
                               "so the broker deleted it again",
                               done));
  // A secret that nobody receives must not become usable.
  if (intent_.hand_over)
    return Undo(name, NothingChanged("The portal did not enable the new token in time, so the "
                                     "broker deleted it again",
                                     done));
  InBackground([token](const CreateCleanup& cleanup, PortalSession& own) mutable {
    (void)cleanup.SetNoteAndStatus(own, token);
  });
  return StillOpen(name, "The token is created, but its note and status are not set yet", done);
}

absl::StatusOr<int> CreateCleanup::DeleteMarked(PortalSession& session) const {
  return core::DeleteMarked(session, intent_.admin, intent_.type, intent_.marker);
}

absl::Status CreateCleanup::TakeBack(PortalSession& session, const TokenName& name) const {
  RETURN_IF_ERROR(DeleteAtPortal(session, name));
  RETURN_IF_ERROR(parts_.custody.ForgetToken(name));
  End(store::CreatePhase::kAbandoned);
  return absl::OkStatus();
}

absl::Duration CreateCleanup::TimeLeft() const {
  return expire_time_.has_value() ? *expire_time_ - parts_.clock.Now() : absl::InfiniteDuration();
}

// A token is not enabled beyond its lease: not later, and not by a request that is still under way then.
absl::Status CreateCleanup::SetNoteAndStatus(PortalSession& session, portal::LmToken& token) const {
  PortalSession bounded = session.EndingBy(parts_.clock.Monotonic() + TimeLeft());
  const std::int32_t admin = intent_.admin.id();
  // It is disabled already, so only a token to be enabled needs its status set.
  ASSIGN_OR_RETURN(http::CanonicalRequest request,
                   intent_.status == TokenStatus::kEnabled
                       ? portal::PatchNoteAndStatus(admin, token.id, intent_.note, intent_.status)
                       : portal::PatchNote(admin, token.id, intent_.note));
  RETURN_IF_ERROR(bounded.Send(std::move(request), portal::Effect::kRepeatable, Reason::kUnknownToken).status());
  token.note = intent_.note;
  token.status = intent_.status;
  parts_.custody.LearnTokenStatus(session.portal(), {&token, 1});
  End(store::CreatePhase::kFinished);
  return absl::OkStatus();
}

// A full pool leaves the work to recovery.
void CreateCleanup::InBackground(absl::AnyInvocable<void(const CreateCleanup&, PortalSession&)> work) const {
  (void)parts_.background.TryPost([cleanup = *this, work = std::move(work)]() mutable {
    PortalSession session = cleanup.session_.Detached(kBackgroundTime);
    work(cleanup, session);
  });
}

// The store may fail here: then the intent stays open, and recovery finds that there is nothing left to do.
void CreateCleanup::End(store::CreatePhase phase) const { (void)parts_.store.EndCreate(intent_.marker, phase); }

}  // namespace lmbroker::core
