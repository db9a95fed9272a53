// What is left to do of rotations after their calls, and after a restart.

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/core/rotator.h"

namespace lmbroker::core {
namespace {

using State = RotationProgress::State;

// Of one step, so that a silent portal keeps the others' rotations waiting no longer.
constexpr absl::Duration kStepTime = absl::Seconds(20);
// Where all that is left is to let old tokens stand still.
constexpr absl::Duration kSlowLook = absl::Seconds(10);
constexpr absl::Duration kFirstBackOff = absl::Seconds(1);
constexpr absl::Duration kLongestBackOff = absl::Minutes(5);

std::string Cause(const absl::Status& status) {
  const auto reason = ReasonOf(status);
  return std::string(reason.has_value() ? ReasonName(*reason) : absl::StatusCodeToString(status.code()));
}

}  // namespace

void Rotator::Tend() {
  const absl::Duration now = parts_.portal.clock.Monotonic();
  {
    const MutexLock lock(mutex_);
    if (now < next_look_) return;
    next_look_ = now + kSlowLook;  // unless a call begins one meanwhile
  }
  if (stopping_.stop_requested() || parts_.custody.locked()) return;
  const absl::StatusOr<std::vector<store::Rotation>> rotations = parts_.store.ListRotations();
  bool soon = !rotations.ok();
  std::set<PortalName> troubled;
  std::set<std::string> markers;
  if (rotations.ok()) {
    for (const store::Rotation& rotation : *rotations) {
      markers.insert(rotation.marker);
      soon = soon || rotation.phase != store::RotationPhase::kRetiring;
      const PortalName& portal = rotation.credential.portal();
      if (stopping_.stop_requested() || troubled.contains(portal) || !IsTime(rotation)) continue;
      if (!TendOne(rotation)) troubled.insert(portal);
    }
  }
  const MutexLock lock(mutex_);
  if (soon) next_look_ = now;
  const auto over = [&](const auto& item) { return !markers.contains(item.first); };
  std::erase_if(back_offs_, over);
  // A call may have promoted one that was not listed yet.
  std::erase_if(old_keys_, [&](const auto& item) { return over(item) && item.second.since < now; });
}

bool Rotator::IsTime(const store::Rotation& rotation) const {
  {
    const MutexLock lock(mutex_);
    const auto found = back_offs_.find(rotation.marker);
    if (found != back_offs_.end() && parts_.portal.clock.Monotonic() < found->second.until) return false;
  }
  if (rotation.phase == store::RotationPhase::kPromoted) return !InUse(rotation.marker);
  return rotation.phase != store::RotationPhase::kRetiring || steps_.IsDue(rotation);
}

bool Rotator::TendOne(const store::Rotation& rotation) {
  const std::optional<Claim> claim = TryClaim(rotation.credential);
  if (!claim.has_value()) return true;
  // A call may have gone on with it since it was listed.
  const absl::StatusOr<std::optional<store::Rotation>> found =
      FindRotation([&](const store::Rotation& each) { return each.marker == rotation.marker; });
  std::optional<store::Rotation> now = found.ok() ? *found : std::nullopt;
  if (!now.has_value() || !IsTime(*now)) return true;
  const absl::Status status = Step(*now);
  NoteResult(rotation, status);
  return status.ok();
}

absl::Status Rotator::Step(store::Rotation& rotation) {
  std::stop_source ends;
  const auto end = [&ends] { ends.request_stop(); };
  const std::stop_callback<std::function<void()>> stopped(stopping_.get_token(), end);
  const std::stop_callback<std::function<void()>> recalled(parts_.custody.recalled(), end);
  ASSIGN_OR_RETURN(PortalSession session, PortalSession::Resume(parts_.portal,
                                                                {.portal = rotation.credential.portal(),
                                                                 .verb = policy::Verb::kRotate,
                                                                 .caller = rotation.caller,
                                                                 .rule = rotation.rule,
                                                                 .request_id = rotation.request_id},
                                                                kStepTime, ends.get_token()));
  if (rotation.phase == store::RotationPhase::kRetiring) return steps_.Watch(session, rotation);
  if (rotation.phase == store::RotationPhase::kPromoted) return steps_.Disable(session, rotation);
  const RotationProgress progress = steps_.GoOn(session, rotation);
  if (progress.state == State::kOpen) return progress.cause;
  if (progress.state == State::kPromoted) KeepUse(rotation, progress.use);
  return absl::OkStatus();
}

void Rotator::NoteResult(const store::Rotation& rotation, const absl::Status& status) {
  if (!status.ok()) {
    parts_.logger.Warn("rotation_step_failed", {{"credential", rotation.credential.ToString()},
                                                {"retiring", rotation.retiring.ToString()},
                                                {"cause", Cause(status)}});
  }
  const MutexLock lock(mutex_);
  if (status.ok()) {
    back_offs_.erase(rotation.marker);
    return;
  }
  BackOff& back_off = back_offs_[rotation.marker];
  const absl::Duration wait = kFirstBackOff * (1 << std::min(back_off.failures, 10));
  back_off = {.failures = back_off.failures + 1,
              .until = parts_.portal.clock.Monotonic() + std::min(wait, kLongestBackOff)};
}

}  // namespace lmbroker::core
