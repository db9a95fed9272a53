#pragma once

// One step towards the end of a lease: its token is disabled, or deleted, at the portal, and the store knows how it
// went.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/core/custody.h"
#include "service/core/portal_session.h"
#include "service/http/request.h"
#include "service/store/records.h"
#include "service/store/store.h"

namespace lmbroker::core {

// Between the disabling of a token and its deletion. Whoever is hit by the end still finds the token, disabled, in the
// portal's list and in ListLeases, and sees there who used it last; no call that was under way then lasts longer. And
// tokens that have ended do not fill their creator's `max_tokens`, or the portal, for long.
inline constexpr absl::Duration kLeaseGrace = absl::Minutes(10);

// What a failed step says about another try.
enum class StepFailure {
  kOfThePortal,  // it would fail for every token just now: the portal or its master is at fault, or the broker itself
  kPassing,      // it may be the portal, or this token
  kForGood,      // the portal answered, and its answer will be the same
};
StepFailure FailureOf(const absl::Status& failed);

// All but the session's own.
struct LeaseStepParts {
  const Clock& clock;
  Random& random;
  store::Store& store;
  Custody& custody;
  // Whether the portal carried out the step before this one. If not, a failure is rather the portal's than the token's.
  bool portal_works = true;
};

// The request of the next step: one that disables the token, or one that deletes it.
absl::StatusOr<http::CanonicalRequest> RequestOf(const store::LeaseRecord& lease);

// Sends it, and writes how it went; the lease becomes what is written. What is gone at the portal already is done. A
// failure is what the portal refuses, or why it could not be asked; the next try is due after a back-off, or, when the
// lease is stuck now, seldom. A failure that is not the token's fault never makes it stuck.
absl::Status TakeStep(const LeaseStepParts& parts, PortalSession& session, store::LeaseRecord& lease);

}  // namespace lmbroker::core
