#include "service/core/leases.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "service/audit/call_audit.h"
#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/core/call_context.h"
#include "service/core/lease_step.h"
#include "service/policy/engine.h"

namespace lmbroker::core {
namespace {

using store::LeaseState;

// In the order of their urgency: a token that should be dead comes before one that is.
constexpr std::array kStates = {LeaseState::kActive, LeaseState::kDisabled, LeaseState::kStuck};

// At one portal at a time: so many that one slow answer keeps nobody's token alive, so few that callers do not notice.
constexpr int kMostWorkers = 4;
constexpr int kMostStepsInOneSweep = 100;
constexpr absl::Duration kStepTime = absl::Seconds(10);
// In a row at one portal, after which it is not the tokens' fault.
constexpr int kFailuresOfThePortal = 5;
constexpr absl::Duration kFirstPause = absl::Seconds(1);
constexpr absl::Duration kLongestPause = absl::Seconds(30);
// Between stuck leases, unless the one before came loose.
constexpr absl::Duration kBetweenStuck = absl::Minutes(1);

// Who is audited as having asked. No caller can be called so: their identities have a scheme.
constexpr std::string_view kOurselves = "lmbroker";

absl::Duration PauseAfter(int failures) {
  absl::Duration pause = kFirstPause;
  for (int i = 1; i < failures && pause < kLongestPause; ++i) pause *= 2;
  return std::min(pause, kLongestPause);
}

}  // namespace

void Leases::Tick() {
  if (stopping_.load(std::memory_order_relaxed) || parts_.custody.locked()) return;
  for (const auto& [portal, master] : parts_.portal.portals.all()) {
    for (int more = WorkersFor(portal); more > 0; --more) {
      const bool posted = workers_.TryPost([this, &name = portal] {
        Sweep(name);
        const MutexLock lock(mutex_);
        --lanes_[name].workers;
      });
      if (posted) continue;
      const MutexLock lock(mutex_);
      lanes_[portal].workers -= more;
      break;
    }
  }
}

int Leases::WorkersFor(const PortalName& portal) {
  if (!IsAwake(portal)) return 0;
  const MutexLock lock(mutex_);
  Lane& lane = lanes_[portal];
  std::size_t due = 0;
  for (const LeaseState state : kStates) {
    const bool stuck = state == LeaseState::kStuck;
    if (stuck && parts_.portal.clock.Monotonic() < lane.no_stuck_until) continue;
    const auto leases = parts_.store.DueLeases(portal, state, parts_.portal.clock.Now(), stuck ? 1 : kMostWorkers);
    if (leases.ok()) due += leases->size();
  }
  // One alone sees whether a portal that failed has recovered.
  const int wanted =
      lane.failures > 0 ? std::min<int>(static_cast<int>(due), 1) : std::min<int>(static_cast<int>(due), kMostWorkers);
  const int more = std::max(0, wanted - lane.workers);
  lane.workers += more;
  return more;
}

bool Leases::IsAwake(const PortalName& portal) {
  if (stopping_.load(std::memory_order_relaxed) || parts_.custody.locked()) return false;
  const MutexLock lock(mutex_);
  return parts_.portal.clock.Monotonic() >= lanes_[portal].pause_until;
}

bool Leases::WorksAt(const PortalName& portal) {
  const MutexLock lock(mutex_);
  return lanes_[portal].failures == 0;
}

void Leases::Sweep(const PortalName& portal) {
  for (int step = 0; step < kMostStepsInOneSweep && IsAwake(portal); ++step) {
    const std::optional<store::LeaseRecord> lease = Claim(portal);
    if (!lease.has_value()) return;
    Release(*lease, Step(*lease));
  }
}

// Under the lock, so that no record is taken that somebody else has changed since it was read.
std::optional<store::LeaseRecord> Leases::Claim(const PortalName& portal) {
  const Clock& clock = parts_.portal.clock;
  const MutexLock lock(mutex_);
  Lane& lane = lanes_[portal];
  for (const LeaseState state : kStates) {
    if (state == LeaseState::kStuck && clock.Monotonic() < lane.no_stuck_until) continue;
    auto due = parts_.store.DueLeases(portal, state, clock.Now(), static_cast<int>(lane.claimed.size()) + 1);
    if (!due.ok()) return std::nullopt;
    for (store::LeaseRecord& lease : *due) {
      if (lane.claimed.insert(lease.token).second) return std::move(lease);
    }
  }
  return std::nullopt;
}

void Leases::Release(const store::LeaseRecord& claimed, const absl::Status& done) {
  const absl::Duration now = parts_.portal.clock.Monotonic();
  const MutexLock lock(mutex_);
  Lane& lane = lanes_[claimed.token.portal()];
  lane.claimed.erase(claimed.token);
  if (claimed.state == LeaseState::kStuck) lane.no_stuck_until = done.ok() ? now : now + kBetweenStuck;
  const StepFailure failure = FailureOf(done);
  if (done.ok() || failure == StepFailure::kForGood) {
    lane.failures = 0;
    return;
  }
  ++lane.failures;
  if (failure == StepFailure::kPassing && lane.failures < kFailuresOfThePortal) return;
  const absl::Duration pause = PauseAfter(lane.failures);
  lane.pause_until = std::max(lane.pause_until, now + pause);
  parts_.logger.Warn("leases_paused", {{"portal", claimed.token.portal().id()},
                                       {"seconds", absl::ToDoubleSeconds(pause)},
                                       {"status", done.ToString()}});
}

absl::Status Leases::Step(store::LeaseRecord lease) {
  const PortalSession::Parts& portal = parts_.portal;
  const PortalName name = lease.token.portal();
  const bool deleting = lease.disable_time.has_value();
  RETURN_IF_ERROR(PortalSession::CheckMaster(portal, name));
  ASSIGN_OR_RETURN(const http::CanonicalRequest request, RequestOf(lease));
  audit::CallAudit audit(parts_.audit, parts_.refusals, portal.clock,
                         {.id = RandomUuid(parts_.random),
                          .identity = std::string(kOurselves),
                          .method = deleting ? "lease/delete" : "lease/disable",
                          .resource = lease.token.ToString()});
  CallContext context{.caller = {.identity = std::string(kOurselves)},
                      .request_id = audit.fields().id,
                      .deadline = portal.clock.Monotonic() + kStepTime,
                      .cancelled = {},
                      .audit = audit};
  const auto run = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const PortalSession begun,
                     PortalSession::Begin(portal, context, policy::Engine::EndOfLease(name), request));
    const PortalSession recallable = begun.Recallable();
    PortalSession session = deleting ? recallable : recallable.Urgent();
    return TakeStep({.clock = portal.clock,
                     .random = parts_.random,
                     .store = parts_.store,
                     .custody = parts_.custody,
                     .portal_works = WorksAt(name)},
                    session, lease);
  };
  const absl::Status done = run();
  audit.Outcome(done);
  Log(lease, deleting, done);
  return done;
}

void Leases::Log(const store::LeaseRecord& lease, bool deleting, const absl::Status& done) {
  const std::string token = lease.token.ToString();
  if (done.ok()) {
    parts_.logger.Info(deleting ? "leased_token_deleted" : "leased_token_disabled", {{"token", token}});
  } else if (lease.state == LeaseState::kStuck) {
    parts_.logger.Error("lease_stuck", {{"token", token}, {"attempts", lease.attempts}, {"error", lease.last_error}});
  }
}

}  // namespace lmbroker::core
