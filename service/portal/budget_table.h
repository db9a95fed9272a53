#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string_view>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/metrics.h"
#include "service/base/mutex.h"
#include "service/base/names.h"
#include "service/base/scheduler.h"
#include "service/portal/budget_rows.h"
#include "service/portal/permit.h"

namespace lmbroker::portal {

// A request that wants to go.
struct BudgetClaim {
  const PortalName& portal;
  const http::CanonicalRequest& request;
  std::string_view caller;  // among whom the queue is fair
  int weight = 1;           // of the caller
  Priority priority = Priority::kNormal;
  absl::Duration deadline;                                 // on Clock::Monotonic
  absl::Duration longest_wait = absl::InfiniteDuration();  // less than the queue allows
  const std::stop_token& cancelled;
};

// How much may wait. Beyond it calls are refused.
struct BudgetBounds {
  std::size_t rows = 1024;               // rate limits known of a portal
  std::size_t waiting = 1024;            // calls, for one rate limit
  std::size_t waiting_bytes = 64 << 20;  // bodies of the calls that wait for one portal
  absl::Duration longest_wait = absl::Minutes(5);
};

// What is known of one rate limit.
struct BudgetState {
  http::Api api = http::Api::kManagement;
  http::Method method = http::Method::kGet;
  std::string pattern;
  RateLimit budget;
  std::size_t waiting = 0;
};

// The rate limits of one portal. Safe for concurrent use; made as a shared_ptr, because the scheduler refers to it.
class BudgetTable : public std::enable_shared_from_this<BudgetTable> {
 public:
  struct Parts {
    const Clock& clock;
    Scheduler& scheduler;
    Metrics& metrics;
  };
  using Done = absl::AnyInvocable<void(absl::StatusOr<Permit>)>;

  BudgetTable(const Parts& parts, PortalName portal, std::vector<ConfiguredBudget> configured,
              const BudgetBounds& bounds);

  // A permit or a refusal when it is clear at once. Else nothing: the call has a place in the queue, and `done` is run
  // later, once, on the scheduler's thread; it may be running before this returns.
  // DEADLINE_TOO_SHORT when the wait cannot end in time, BUDGET_EXHAUSTED when the queue's bounds are reached; later
  // also DEADLINE and CANCELLED.
  std::optional<absl::StatusOr<Permit>> Acquire(const BudgetClaim& claim, Done done);

  // By API, pattern and method.
  std::vector<BudgetState> States() const;

 private:
  friend class Permit;
  using Waiter = std::shared_ptr<BudgetWaiter>;

  // What becomes of permits.
  void Return(BudgetRow& row);
  void Lost(BudgetRow& row);
  std::optional<RateLimit> Answered(BudgetRow& row, std::int64_t taken, int http_status,
                                    const std::vector<http::NameValue>& headers);

  // Why a call whose turn would come at `turn` may not wait for it; OK when it may.
  absl::Status CheckPlace(const BudgetRow& row, const BudgetClaim& claim, absl::Duration turn, absl::Duration now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Enqueue(BudgetRow& row, const BudgetClaim& claim, absl::Duration now, Done done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EvictLast(BudgetRow& row, absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // After news of the limit: those whose turn cannot come in time any more are told so.
  void RefuseHopeless(BudgetRow& row, absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends `waiter`, which is out of the queue, on the scheduler's thread.
  void PostRefusal(Waiter waiter, absl::Status refusal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `waiter` is out of the queue; whoever gets it from here ends it.
  void Leave(BudgetWaiter& waiter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Serves at the right time whoever is first in the row's queue.
  void Wake(const BudgetRow& row, absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // On the scheduler's thread.
  void Arm(const Waiter& waiter);
  void Serve();
  void GiveUp(const Waiter& waiter, absl::Status why);
  void Finish(BudgetWaiter& waiter, absl::StatusOr<Permit> result);

  const Parts parts_;
  const PortalName portal_;
  const BudgetBounds bounds_;

  mutable Mutex mutex_;
  BudgetRows rows_ ABSL_GUARDED_BY(mutex_);
  std::set<BudgetRow*> waiting_rows_ ABSL_GUARDED_BY(mutex_);
  std::size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  Scheduler::Timer timer_ ABSL_GUARDED_BY(mutex_);  // the next Serve; `when` is infinite when none is due
};

}  // namespace lmbroker::portal
