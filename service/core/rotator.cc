#include "service/core/rotator.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/audit/call_audit.h"
#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/core/marked_create.h"
#include "service/core/token_lookup.h"
#include "service/portal/token_requests.h"

namespace lmbroker::core {
namespace {

using State = RotationProgress::State;

// Between two looks at what a call waits for.
constexpr absl::Duration kPoll = absl::Milliseconds(20);
// A call waits so long for those that still use the old key; most take less than a second.
constexpr absl::Duration kPatience = absl::Seconds(5);
// A call that has a key for longer was authenticated long ago, or waits and can be signed anew by its caller; an old
// token is not left enabled for its sake.
constexpr absl::Duration kLongestUse = absl::Minutes(15);

absl::Status NotInCustody(std::string_view what) { return Refuse(Reason::kNotInCustody, what); }

absl::Status StillOpen(const CredentialName& name, const absl::Status& cause) {
  auto metadata = WithCause(cause);
  metadata["credential"] = name.ToString();
  return Refuse(
      Reason::kOutcomeUnknown,
      fmt::format("The rotation of {} has begun and is not done yet; the broker goes on in the background, and "
                  "either key is good meanwhile: repeat the request to see how it ended.",
                  name.ToString()),
      {.metadata = std::move(metadata)});
}

absl::Status NotYet(const CredentialName& name) {
  return Refuse(
      Reason::kQueueFull,
      fmt::format("{} is being rotated, or calls still use the key that it had before, and a credential has two "
                  "tokens at most; repeat the request after the delay.",
                  name.ToString()),
      {.retry_after = kPatience});
}

// Beside what the portal refuses: what would leave somebody without a key, or with one that was not his.
absl::Status CheckCanRotate(const Custody& custody, const store::CredentialRecord& credential,
                            const portal::LmToken& old) {
  const TokenName token = NameOf(credential.name.portal(), old);
  if (old.type != credential.type || (!credential.access_id.empty() && credential.access_id != old.access_id)) {
    return NotInCustody(
        fmt::format("{} was imported as the key of {}, which has another access id; delete the credential "
                    "and import it again with its own token.",
                    credential.name.ToString(), token.ToString()));
  }
  if (old.status == TokenStatus::kDisabled) {
    return Refuse(Reason::kCredentialDisabled,
                  fmt::format("{} is disabled at the portal, and its successor would be enabled; enable it with "
                              "ToggleToken first, or create another token.",
                              token.ToString()));
  }
  for (const store::CredentialRecord& other : custody.List(token.portal())) {
    if (other.name == credential.name || other.token != token) continue;
    return Refuse(Reason::kCredentialExists,
                  fmt::format("{} has the same token as {}, and would lose it; delete that credential first.",
                              other.name.ToString(), credential.name.ToString()));
  }
  return absl::OkStatus();
}

absl::StatusOr<PortalSession> BeginUrgent(const PortalSession::Parts& parts, CallContext& context,
                                          const policy::TokenGrant& grant, const http::CanonicalRequest& main) {
  ASSIGN_OR_RETURN(const PortalSession session, PortalSession::Begin(parts, context, grant, main));
  return session.Urgent();
}

}  // namespace

Rotator::Rotator(const Parts& parts)
    : parts_(parts),
      steps_({.store = parts.store,
              .custody = parts.custody,
              .clock = parts.portal.clock,
              .scheduler = parts.scheduler,
              .healths = parts.healths,
              .logger = parts.logger}) {}

absl::StatusOr<RotatedToken> Rotator::RotateToken(CallContext& context, const TokenRotation& wanted) {
  const TokenName& name = wanted.name;
  context.audit.fields().resource = name.ToString();
  if (!wanted.request_id.empty()) {
    return FieldInvalid("request_id", "cannot be set: this version of the broker remembers no requests");
  }
  const absl::StatusOr<store::TokenRecord> known = parts_.store.GetToken(name);
  const TokenType type = known.ok() ? known->type : TokenType::kLmv1;
  std::string marker = NewMarker(parts_.random);
  ASSIGN_OR_RETURN(http::CanonicalRequest post,
                   portal::CreateToken(name.admin().id(), type, marker, TokenStatus::kDisabled));
  ASSIGN_OR_RETURN(FoundToken found, FindForCaller(parts_.portal, parts_.store, parts_.custody, context,
                                                   policy::Verb::kRotate, name, post));
  if (!known.ok() && !IsRefusal(known.status(), Reason::kUnknownToken)) return known.status();
  if (!found.token.has_value()) return UnknownToken(name);
  if (!known.ok()) {
    return NotInCustody(
        fmt::format("The broker did not create {} and cannot rotate it by its name; where it is imported, "
                    "an operator can rotate its credential.",
                    name.ToString()));
  }
  if (known->custody == store::TokenCustody::kHandedOver) {
    return NotInCustody(
        fmt::format("The secret of {} was handed over and not kept; create another token, and delete "
                    "this one when nobody uses it any more.",
                    name.ToString()));
  }
  const std::optional<CredentialName>& handle = known->credential;
  if (!handle.has_value()) return Successor(found.session, name);
  ASSIGN_OR_RETURN(store::CredentialRecord credential, parts_.custody.Describe(*handle));
  ASSIGN_OR_RETURN(RotationProgress done, Rotate(context, found.session,
                                                 {.credential = std::move(credential),
                                                  .old = *std::move(found.token),
                                                  .marker = std::move(marker),
                                                  .post = std::move(post),
                                                  .rule = found.grant.rule()}));
  if (!done.token.has_value()) return Successor(found.session, name);
  // Of what is in memory: it is done, and what fails now must not make it look undone.
  const auto entry = parts_.custody.Find(*handle);
  return RotatedToken{.token = {.name = NameOf(name.portal(), *done.token),
                                .lm = *std::move(done.token),
                                .holder = TokenHolder::kBroker,
                                .credential = handle,
                                .expire_time = entry.ok() ? (*entry)->expire_time : std::nullopt},
                      .retiring = name};
}

absl::StatusOr<store::CredentialRecord> Rotator::RotateCredential(CallContext& context, const CredentialName& name) {
  const PortalName& portal = name.portal();
  context.audit.fields().resource = name.ToString();
  context.audit.fields().portal = portal.ToString();
  ASSIGN_OR_RETURN(const policy::TokenGrant grant,
                   parts_.portal.policy.Get()->AuthorizeOperator(context.caller, portal));
  context.audit.fields().rule = grant.rule();
  RETURN_IF_ERROR(parts_.portal.portals.Check(portal));
  RETURN_IF_ERROR(parts_.custody.Find(name).status());  // SEALED before what could be told of it
  ASSIGN_OR_RETURN(store::CredentialRecord credential, parts_.custody.Describe(name));
  if (!credential.token.has_value()) {
    return NotInCustody(
        fmt::format("The broker does not know which token of the portal {} is the key of; delete the "
                    "credential and import it again with `token`.",
                    name.ToString()));
  }
  const TokenName old = *credential.token;
  std::string marker = NewMarker(parts_.random);
  ASSIGN_OR_RETURN(http::CanonicalRequest post,
                   portal::CreateToken(old.admin().id(), credential.type, marker, TokenStatus::kDisabled));
  ASSIGN_OR_RETURN(PortalSession session, BeginUrgent(parts_.portal, context, grant, post));
  ASSIGN_OR_RETURN(std::optional<portal::LmToken> token, FindToken(session, parts_.store, old));
  if (!token.has_value()) return UnknownToken(old);
  RETURN_IF_ERROR(Rotate(context, session,
                         {.credential = std::move(credential),
                          .old = *std::move(token),
                          .marker = std::move(marker),
                          .post = std::move(post),
                          .rule = grant.rule()})
                      .status());
  return parts_.custody.Describe(name);
}

absl::StatusOr<RotationProgress> Rotator::Rotate(CallContext& context, PortalSession& session, Wanted wanted) {
  const CredentialName name = wanted.credential.name;
  const TokenName old = NameOf(name.portal(), wanted.old);
  ASSIGN_OR_RETURN(const Claim claim, AwaitClaim(context, name));
  ASSIGN_OR_RETURN(std::optional<store::Rotation> earlier, FindRotation([&](const store::Rotation& rotation) {
                     return rotation.credential == name && rotation.phase != store::RotationPhase::kRetiring;
                   }));
  if (earlier.has_value()) RETURN_IF_ERROR(GoOn(context, session, *std::move(earlier), old));
  ASSIGN_OR_RETURN(wanted.credential, parts_.custody.Describe(name));
  // Another call has rotated it while this one waited: that was what this one wanted, too.
  if (wanted.credential.token != old) return RotationProgress{.state = State::kPromoted};
  return Begin(context, session, std::move(wanted));
}

absl::StatusOr<RotationProgress> Rotator::Begin(CallContext& context, PortalSession& session, Wanted wanted) {
  RETURN_IF_ERROR(CheckCanRotate(parts_.custody, wanted.credential, wanted.old));
  store::Rotation rotation{.marker = std::move(wanted.marker),
                           .credential = wanted.credential.name,
                           .retiring = NameOf(wanted.credential.name.portal(), wanted.old),
                           .type = wanted.credential.type,
                           .note = IsMarker(wanted.old.note) ? std::string() : std::move(wanted.old.note),
                           .version = wanted.credential.version + 1,
                           .caller = context.caller.name,
                           .rule = std::move(wanted.rule),
                           .request_id = context.request_id,
                           .create_time = parts_.portal.clock.Now()};
  RETURN_IF_ERROR(parts_.custody.BeginRotation(rotation));
  {
    const MutexLock lock(mutex_);
    next_look_ = -absl::InfiniteDuration();
  }
  RotationProgress progress = steps_.Start(session, rotation, std::move(wanted.post));
  if (progress.state == State::kGivenUp) return progress.cause;
  if (progress.state == State::kOpen) return StillOpen(rotation.credential, progress.cause);
  KeepUse(rotation, progress.use);
  Retire(context, session, rotation);
  return progress;
}

absl::Status Rotator::GoOn(CallContext& context, PortalSession& session, store::Rotation rotation,
                           const TokenName& old) {
  if (rotation.phase != store::RotationPhase::kPromoted) {
    const RotationProgress progress = steps_.GoOn(session, rotation);
    if (progress.state == State::kGivenUp) return absl::OkStatus();
    if (progress.state == State::kOpen) return StillOpen(rotation.credential, progress.cause);
    KeepUse(rotation, progress.use);
  }
  Retire(context, session, rotation);
  const bool live = rotation.phase == store::RotationPhase::kPromoted;
  return live && rotation.retiring != old ? NotYet(rotation.credential) : absl::OkStatus();
}

// The session may have the very key that others are waited for.
void Rotator::Retire(CallContext& context, PortalSession& session, store::Rotation& rotation) {
  if (!session.TakeMaster().ok()) return;
  const Clock& clock = parts_.portal.clock;
  const absl::Duration end = std::min(clock.Monotonic() + kPatience, context.deadline);
  while (InUse(rotation.marker)) {
    if (clock.Monotonic() + kPoll >= end || context.cancelled.stop_requested()) return;
    steps_.Pause(kPoll);
  }
  (void)steps_.Disable(session, rotation);  // Tend finds what is left to do
}

absl::StatusOr<RotatedToken> Rotator::Successor(PortalSession& session, const TokenName& name) {
  ASSIGN_OR_RETURN(const std::optional<store::Rotation> rotation, FindRotation([&](const store::Rotation& each) {
                     const bool promoted =
                         each.phase == store::RotationPhase::kPromoted || each.phase == store::RotationPhase::kRetiring;
                     return each.retiring == name && promoted;
                   }));
  const std::optional<TokenName> next = rotation.has_value() ? rotation->token : std::nullopt;
  if (!next.has_value()) {
    return NotInCustody(
        fmt::format("No credential of the broker has the secret of {} any more; create another token, and "
                    "delete this one.",
                    name.ToString()));
  }
  ASSIGN_OR_RETURN(std::optional<portal::LmToken> found, FindToken(session, parts_.store, *next));
  if (!found.has_value()) return UnknownToken(*next);
  ASSIGN_OR_RETURN(Token token, WithCustody(parts_.store, name.portal(), *std::move(found)));
  return RotatedToken{.token = std::move(token), .retiring = name};
}

absl::StatusOr<std::optional<store::Rotation>> Rotator::FindRotation(
    absl::FunctionRef<bool(const store::Rotation&)> wanted) const {
  ASSIGN_OR_RETURN(std::vector<store::Rotation> rotations, parts_.store.ListRotations());
  const auto found = std::find_if(rotations.begin(), rotations.end(), wanted);
  if (found == rotations.end()) return std::nullopt;
  return std::optional(std::move(*found));
}

std::optional<Rotator::Claim> Rotator::TryClaim(const CredentialName& name) {
  const MutexLock lock(mutex_);
  if (!claimed_.insert(name).second) return std::nullopt;
  return std::optional<Claim>(std::in_place, *this, name);
}

void Rotator::GiveBack(const CredentialName& name) {
  const MutexLock lock(mutex_);
  claimed_.erase(name);
}

absl::StatusOr<Rotator::Claim> Rotator::AwaitClaim(CallContext& context, const CredentialName& name) {
  const Clock& clock = parts_.portal.clock;
  const absl::Duration end = std::min(clock.Monotonic() + kPatience, context.deadline);
  while (true) {
    if (std::optional<Claim> claim = TryClaim(name); claim.has_value()) return *std::move(claim);
    if (context.cancelled.stop_requested()) return Cancelled();
    if (clock.Monotonic() + kPoll >= end) return NotYet(name);
    steps_.Pause(kPoll);
  }
}

void Rotator::KeepUse(const store::Rotation& rotation, Custody::Use use) {
  const MutexLock lock(mutex_);
  old_keys_.insert_or_assign(rotation.marker, OldKey{.use = std::move(use), .since = parts_.portal.clock.Monotonic()});
}

// Of keys of an earlier run nobody has any.
bool Rotator::InUse(const std::string& marker) const {
  const MutexLock lock(mutex_);
  const auto found = old_keys_.find(marker);
  if (found == old_keys_.end() || found->second.use.expired()) return false;
  return parts_.portal.clock.Monotonic() - found->second.since < kLongestUse;
}

}  // namespace lmbroker::core
