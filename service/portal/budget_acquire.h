#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include <absl/status/statusor.h>

#include "service/portal/budgets.h"

namespace lmbroker::portal {

// Budgets::Acquire for coroutines: `BudgetAcquire acquire(budgets, {...}); absl::StatusOr<Permit> permit = co_await
// acquire;`. Goes on at once on this thread when there is room (or a refusal), else on the scheduler's thread. What the
// claim refers to must live until then.
class [[nodiscard]] BudgetAcquire {
 public:
  BudgetAcquire(Budgets& budgets, const BudgetClaim& claim) : budgets_(budgets), claim_(claim) {}

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) {
    std::optional<absl::StatusOr<Permit>> now = budgets_.Acquire(claim_, [this, waiter](absl::StatusOr<Permit> later) {
      result_.emplace(std::move(later));
      waiter.resume();
    });
    // `this` lives in the waiter's frame, which may be gone by now when the call was queued: touch nothing then.
    if (!now.has_value()) return true;
    result_ = std::move(now);
    return false;
  }
  absl::StatusOr<Permit> await_resume() {
    return *std::move(result_);  // NOLINT(bugprone-unchecked-optional-access): set by whoever resumes
  }

 private:
  Budgets& budgets_;
  const BudgetClaim claim_;
  std::optional<absl::StatusOr<Permit>> result_;
};

}  // namespace lmbroker::portal
