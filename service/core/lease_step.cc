#include "service/core/lease_step.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/portal/token_requests.h"

namespace lmbroker::core {
namespace {

// Nine tries in the minute after the expiry, whatever goes wrong now and then; after that, the portal has a right to
// be left alone.
constexpr absl::Duration kFirstWait = absl::Seconds(1);
constexpr absl::Duration kLongestSoonWait = absl::Seconds(10);
constexpr int kSoonTries = 9;
constexpr absl::Duration kLongestWait = absl::Minutes(5);
// With these waits, most of an hour in which the portal did what was asked, but for this token.
constexpr int kTriesBeforeStuck = 20;
// Where nothing tells the token from the portal: some hours.
constexpr int kTriesWhateverBeforeStuck = 200;
constexpr absl::Duration kStuckWait = absl::Hours(1);

constexpr std::array kPortalsFault = {
    Reason::kPortalUnreachable,     Reason::kBreakerOpen,      Reason::kBudgetExhausted,    Reason::kDeadline,
    Reason::kDeadlineTooShort,      Reason::kQueueFull,        Reason::kCallerLimit,        Reason::kNoMaster,
    Reason::kMasterRefused,         Reason::kUnknownPortal,    Reason::kCredentialDisabled, Reason::kSealed,
    Reason::kCredentialQuarantined, Reason::kAuditUnavailable, Reason::kStoreUnavailable};
constexpr std::array kMayPass = {Reason::kPortalError, Reason::kOutcomeUnknown, Reason::kReplyTooLarge};

bool IsOneOf(const absl::Status& status, auto& reasons) {
  return std::any_of(reasons.begin(), reasons.end(), [&](Reason reason) { return IsRefusal(status, reason); });
}

absl::Duration WaitAfter(int attempts) {
  absl::Duration wait = kFirstWait;
  const absl::Duration longest = attempts < kSoonTries ? kLongestSoonWait : kLongestWait;
  for (int i = 1; i < attempts && wait < longest; ++i) wait *= 2;
  return std::min(wait, longest);
}

// Between half of it and all of it, so that what failed together is not tried together.
absl::Duration Jittered(absl::Duration wait, Random& random) {
  std::uint32_t drawn = 0;
  random.Fill(std::as_writable_bytes(std::span(&drawn, 1)));
  return wait / 2 * (1 + static_cast<double>(drawn) / UINT32_MAX);
}

std::string TextOf(const absl::Status& failed) {
  const auto reason = ReasonOf(failed);
  const auto metadata = MetadataOf(failed);
  const auto said = metadata.find("error_message");
  return fmt::format("{}: {}{}", reason.has_value() ? ReasonName(*reason) : "CANCELLED", ToStd(failed.message()),
                     said == metadata.end() ? "" : fmt::format(" It said {}.", Excerpt(said->second)));
}

void NoteFailure(const LeaseStepParts& parts, store::LeaseRecord& lease, const absl::Status& failed, absl::Time now) {
  lease.last_error = TextOf(failed);
  ++lease.attempts;
  const StepFailure failure = FailureOf(failed);
  if (failure == StepFailure::kOfThePortal) {
    lease.next_time = now;  // behind all others: if it is this token after all, nobody waits for it
    return;
  }
  const int tries = parts.portal_works ? kTriesBeforeStuck : kTriesWhateverBeforeStuck;
  const bool stuck = failure == StepFailure::kForGood || lease.attempts >= tries;
  if (stuck) lease.state = store::LeaseState::kStuck;
  absl::Duration wait = stuck ? kStuckWait : WaitAfter(lease.attempts);
  if (!stuck && !parts.portal_works) wait = std::min(wait, kLongestSoonWait);
  lease.next_time = now + Jittered(wait, parts.random);
}

// A token that was deleted meanwhile needs no lease.
absl::Status Write(store::Store& store, const store::LeaseRecord& lease) {
  const absl::Status written = store.UpdateLease(lease);
  return IsRefusal(written, Reason::kUnknownToken) ? absl::OkStatus() : written;
}

}  // namespace

StepFailure FailureOf(const absl::Status& failed) {
  if (absl::IsCancelled(failed) || IsOneOf(failed, kPortalsFault)) return StepFailure::kOfThePortal;
  return IsOneOf(failed, kMayPass) ? StepFailure::kPassing : StepFailure::kForGood;
}

absl::StatusOr<http::CanonicalRequest> RequestOf(const store::LeaseRecord& lease) {
  const std::int32_t admin = lease.token.admin().id();
  return lease.disable_time.has_value() ? portal::DeleteToken(admin, lease.token.id())
                                        : portal::PatchStatus(admin, lease.token.id(), TokenStatus::kDisabled);
}

absl::Status TakeStep(const LeaseStepParts& parts, PortalSession& session, store::LeaseRecord& lease) {
  ASSIGN_OR_RETURN(http::CanonicalRequest request, RequestOf(lease));
  absl::Status sent = session.Send(std::move(request), portal::Effect::kRepeatable, Reason::kUnknownToken).status();
  const bool gone = IsRefusal(sent, Reason::kUnknownToken);
  const absl::Time now = parts.clock.Now();
  if (!sent.ok() && !gone) {
    NoteFailure(parts, lease, sent, now);
    RETURN_IF_ERROR(Write(parts.store, lease));
    return sent;
  }
  if (lease.disable_time.has_value()) return parts.custody.ForgetToken(lease.token);
  lease.state = store::LeaseState::kDisabled;
  lease.disable_time = now;
  // What is gone is asked for once more before the broker forgets it, and need not wait.
  lease.next_time = gone ? now : now + kLeaseGrace;
  lease.attempts = 0;
  lease.last_error.clear();
  const portal::LmToken disabled{.id = lease.token.id(), .status = TokenStatus::kDisabled};
  parts.custody.LearnTokenStatus(lease.token.portal(), {&disabled, 1});
  return Write(parts.store, lease);
}

}  // namespace lmbroker::core
