#include "service/core/rotation_steps.h"

#include <future>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/core/marked_create.h"
#include "service/core/token_lookup.h"
#include "service/portal/errors.h"
#include "service/portal/token_requests.h"

namespace lmbroker::core {
namespace {

using State = RotationProgress::State;

// Of the caller's time, so that some is left for what follows.
constexpr double kShareForPost = 0.5;
// After it no portal is still at work on a POST whose answer was lost.
constexpr absl::Duration kLongestPost = absl::Minutes(5);
// A portal may take a moment to know a key that it has just enabled.
constexpr absl::Duration kProbePauses[] = {absl::Milliseconds(200), absl::Seconds(1)};

// No later try of the same can do better.
bool IsFinal(const absl::Status& failure) {
  for (const Reason reason :
       {Reason::kPortalRejected, Reason::kPortalDenied, Reason::kPortalConflict, Reason::kUnknownToken}) {
    if (IsRefusal(failure, reason)) return true;
  }
  return false;
}

absl::Status NothingChanged(std::string_view what, const absl::Status& cause) {
  return Refuse(Reason::kPortalError, fmt::format("{}; the credential has its old key, repeat the request.", what),
                {.metadata = WithCause(cause)});
}

absl::Status Replaced(const store::Rotation& rotation) {
  return Refuse(Reason::kUnknownCredential,
                fmt::format("{} was deleted or replaced while it was rotated; the new token is deleted again.",
                            rotation.credential.ToString()));
}

absl::Status DoesNotWork(const store::Rotation& rotation) {
  return Refuse(
      Reason::kPortalError,
      fmt::format("The portal does not take the new key of {}, so the broker deleted its token again and keeps "
                  "the old one; probe the credential, and repeat the request.",
                  rotation.credential.ToString()),
      {.metadata = {{"cause", "WRONG_KEY_OR_DISABLED"}}});
}

RotationProgress Open(absl::Status cause) { return {.state = State::kOpen, .cause = std::move(cause)}; }

}  // namespace

RotationProgress RotationSteps::Start(PortalSession& session, store::Rotation& rotation,
                                      http::CanonicalRequest post) const {
  const AdminName& admin = rotation.retiring.admin();
  absl::StatusOr<portal::LmCreatedToken> created =
      PostMarked(session.WithShareOfTime(kShareForPost), std::move(post), admin, rotation.type);
  if (!created.ok()) return AfterFailedPost(session, rotation, created.status());
  const store::TokenRecord token{.name = TokenName(admin, created->token.id),
                                 .type = rotation.type,
                                 .custody = store::TokenCustody::kBroker,
                                 .credential = std::nullopt,
                                 .access_id = created->token.access_id,
                                 .create_time = parts_.clock.Now()};
  const absl::Status stored = parts_.custody.StoreRotation(rotation, token, created->secret);
  if (!stored.ok()) {
    if (!DeleteAtPortal(session, token.name).ok() || !End(rotation).ok()) return Open(stored);
    return {.state = State::kGivenUp, .cause = stored};
  }
  rotation.phase = store::RotationPhase::kStored;
  rotation.token = token.name;
  RotationProgress progress = Finish(session, rotation);
  if (progress.state == State::kPromoted) {
    progress.token = std::move(created->token);
    progress.token->note = rotation.note;
    progress.token->status = TokenStatus::kEnabled;
  }
  return progress;
}

RotationProgress RotationSteps::AfterFailedPost(PortalSession& session, const store::Rotation& rotation,
                                                const absl::Status& failure) const {
  if (!IsRefusal(failure, Reason::kOutcomeUnknown)) {
    const absl::Status ended = End(rotation);
    return {.state = ended.ok() ? State::kGivenUp : State::kOpen, .cause = failure};
  }
  const absl::StatusOr<int> deleted = DeleteMarked(session, rotation.retiring.admin(), rotation.type, rotation.marker);
  if (!deleted.ok() || (*deleted == 0 && !HasEnded(failure))) return Open(failure);
  if (const absl::Status ended = End(rotation); !ended.ok()) return Open(ended);
  return {.state = State::kGivenUp,
          .cause = NothingChanged(*deleted > 0 ? "The portal created the new token, but its answer with the secret was "
                                                 "lost, so the broker deleted the token again"
                                               : "The portal failed, and the broker found no new token there",
                                  failure)};
}

RotationProgress RotationSteps::GoOn(PortalSession& session, store::Rotation& rotation) const {
  if (rotation.phase != store::RotationPhase::kIntended) return Finish(session, rotation);
  const absl::StatusOr<int> deleted = DeleteMarked(session, rotation.retiring.admin(), rotation.type, rotation.marker);
  if (!deleted.ok() && !IsRefusal(deleted.status(), Reason::kUnknownAdmin)) return Open(deleted.status());
  const absl::Duration age = parts_.clock.Now() - rotation.create_time;
  const bool settled = !deleted.ok() || *deleted > 0 || age > kLongestPost || age < absl::ZeroDuration();
  const absl::Status cause = NothingChanged("The answer to the creation of the new token was lost", absl::OkStatus());
  if (!settled) return Open(cause);
  if (const absl::Status ended = End(rotation); !ended.ok()) return Open(ended);
  return {.state = State::kGivenUp, .cause = cause};
}

RotationProgress RotationSteps::Finish(PortalSession& session, store::Rotation& rotation) const {
  if (!rotation.token.has_value()) return Open(Refuse(Reason::kInternal, "A rotation has no token to go on with."));
  const TokenName token = *rotation.token;
  if (!parts_.custody.Stands(rotation)) return GiveUp(session, rotation, token, Replaced(rotation));
  RotationProgress progress;
  const absl::Status enabled = Enable(session, rotation, token, progress.token);
  if (IsFinal(enabled)) return GiveUp(session, rotation, token, enabled);
  if (!enabled.ok()) return Open(enabled);
  const absl::StatusOr<bool> works = Works(session, rotation);
  if (IsRefusal(works.status(), Reason::kUnknownToken)) return GiveUp(session, rotation, token, works.status());
  if (!works.ok()) return Open(works.status());
  if (!*works) return GiveUp(session, rotation, token, DoesNotWork(rotation));
  absl::StatusOr<Custody::Use> use = parts_.custody.PromoteRotation(rotation);
  if (IsRefusal(use.status(), Reason::kCredentialDisabled) || IsRefusal(use.status(), Reason::kUnknownToken)) {
    return GiveUp(session, rotation, token, use.status());
  }
  if (!use.ok()) return Open(use.status());
  rotation.phase = store::RotationPhase::kPromoted;
  parts_.logger.Info("credential_rotated", {{"credential", rotation.credential.ToString()},
                                            {"token", token.ToString()},
                                            {"retiring", rotation.retiring.ToString()},
                                            {"version", rotation.version}});
  progress.state = State::kPromoted;
  progress.use = *std::move(use);
  return progress;
}

absl::Status RotationSteps::Enable(PortalSession& session, const store::Rotation& rotation, const TokenName& name,
                                   std::optional<portal::LmToken>& token) const {
  const std::int32_t admin = rotation.retiring.admin().id();
  ASSIGN_OR_RETURN(http::CanonicalRequest request,
                   portal::PatchNoteAndStatus(admin, name.id(), rotation.note, TokenStatus::kEnabled));
  ASSIGN_OR_RETURN(http::Response reply,
                   session.Send(std::move(request), portal::Effect::kRepeatable, Reason::kUnknownToken));
  absl::StatusOr<portal::LmToken> parsed = portal::ParseToken(std::move(reply), rotation.type, admin);
  if (parsed.ok()) token = *std::move(parsed);
  return absl::OkStatus();
}

// Only the portal's own word that it does not take the key is a no.
absl::StatusOr<bool> RotationSteps::Works(PortalSession& session, const store::Rotation& rotation) const {
  for (std::size_t attempt = 0;; ++attempt) {
    ASSIGN_OR_RETURN(std::shared_ptr<const Custody::Entry> entry, parts_.custody.FindStored(rotation));
    const bool master = entry->record.master;
    ASSIGN_OR_RETURN(http::CanonicalRequest probe, portal::ProbeKey(master));
    ASSIGN_OR_RETURN(const http::Response reply,
                     session.With(std::move(entry)).Probing().Exchange(std::move(probe), portal::Effect::kRepeatable));
    absl::Status verdict = portal::CheckReply(reply, portal::Effect::kRepeatable, Reason::kPortalError);
    if (verdict.ok()) return true;
    // Who may not read devices has a good key all the same; who is to manage tokens must be able to.
    if (IsRefusal(verdict, Reason::kPortalDenied)) return !master;
    if (!IsRefusal(verdict, Reason::kMasterRefused)) return verdict;
    if (attempt == std::size(kProbePauses)) return false;
    Pause(kProbePauses[attempt]);
  }
}

RotationProgress RotationSteps::GiveUp(PortalSession& session, const store::Rotation& rotation, const TokenName& token,
                                       const absl::Status& cause) const {
  if (const absl::Status deleted = DeleteAtPortal(session, token); !deleted.ok()) return Open(deleted);
  if (const absl::Status ended = End(rotation); !ended.ok()) return Open(ended);
  return {.state = State::kGivenUp, .cause = cause};
}

absl::Status RotationSteps::End(const store::Rotation& rotation) const {
  RETURN_IF_ERROR(parts_.custody.EndRotation(rotation));
  const bool given_up =
      rotation.phase == store::RotationPhase::kIntended || rotation.phase == store::RotationPhase::kStored;
  parts_.logger.Info(given_up ? "rotation_given_up" : "retired_token_deleted",
                     {{"credential", rotation.credential.ToString()}, {"retiring", rotation.retiring.ToString()}});
  return absl::OkStatus();
}

absl::Status RotationSteps::Disable(PortalSession& session, store::Rotation& rotation) const {
  const std::int32_t admin = rotation.retiring.admin().id();
  ASSIGN_OR_RETURN(http::CanonicalRequest request,
                   portal::PatchStatus(admin, rotation.retiring.id(), TokenStatus::kDisabled));
  absl::StatusOr<http::Response> reply =
      session.Send(std::move(request), portal::Effect::kRepeatable, Reason::kUnknownToken);
  if (IsRefusal(reply.status(), Reason::kUnknownToken)) return End(rotation);
  RETURN_IF_ERROR(reply.status());
  const absl::StatusOr<portal::LmToken> token = portal::ParseToken(*std::move(reply), rotation.type, admin);
  return Note(rotation, token.ok() ? token->last_used_on : std::nullopt);
}

absl::Status RotationSteps::Note(store::Rotation& rotation, const std::optional<absl::Time>& last_used_on) const {
  const absl::Time now = PortalTime(rotation.credential.portal());
  RETURN_IF_ERROR(parts_.store.NoteRetiring(rotation.marker, last_used_on, now));
  rotation.phase = store::RotationPhase::kRetiring;
  rotation.last_used_on = last_used_on;
  rotation.still_since = now;
  return absl::OkStatus();
}

bool RotationSteps::IsDue(const store::Rotation& rotation) const {
  return !rotation.still_since.has_value() ||
         PortalTime(rotation.credential.portal()) - *rotation.still_since >= kGrace;
}

absl::Status RotationSteps::Watch(PortalSession& session, store::Rotation& rotation) const {
  ASSIGN_OR_RETURN(const std::optional<portal::LmToken> token, FindToken(session, parts_.store, rotation.retiring));
  if (!token.has_value()) return End(rotation);
  // Somebody enabled it again, and so keeps it; or somebody used it meanwhile.
  if (token->status == TokenStatus::kEnabled || token->last_used_on != rotation.last_used_on) {
    return Note(rotation, token->last_used_on);
  }
  if (!IsDue(rotation)) return absl::OkStatus();
  RETURN_IF_ERROR(DeleteAtPortal(session, rotation.retiring));
  return End(rotation);
}

absl::Time RotationSteps::PortalTime(const PortalName& portal) const {
  const portal::PortalHealth* const health = parts_.healths.Of(portal);
  return health == nullptr ? parts_.clock.Now() : health->clock.Now();
}

void RotationSteps::Pause(absl::Duration time) const {
  std::promise<void> over;
  std::future<void> wait = over.get_future();
  parts_.scheduler.AddTimer(parts_.clock.Monotonic() + time, [over = std::move(over)]() mutable { over.set_value(); });
  wait.wait();
}

}  // namespace lmbroker::core
