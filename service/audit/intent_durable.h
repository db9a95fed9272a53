#pragma once

#include <coroutine>
#include <utility>

#include <absl/status/status.h>

#include "service/audit/call_audit.h"
#include "service/base/scheduler.h"

namespace lmbroker::audit {

// CallAudit::Intent for coroutines: `IntentDurable intent(audit, Durability::kOnDisk, scheduler); const absl::Status
// status = co_await intent;`. Goes on at once when there is nothing to wait for, else on the scheduler's thread: the
// audit log's own has better things to do than calls.
class [[nodiscard]] IntentDurable {
 public:
  IntentDurable(CallAudit& audit, Durability durability, Scheduler& scheduler)
      : audit_(audit), durability_(durability), scheduler_(scheduler) {}

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) {
    if (durability_ == Durability::kFlushedSoon) {
      audit_.Intent(durability_, [this](absl::Status status) { status_ = std::move(status); });
      return false;
    }
    // `this` lives in the waiter's frame, which may be gone as soon as it goes on: touch nothing after Intent.
    audit_.Intent(durability_, [this, waiter](absl::Status status) {
      status_ = std::move(status);
      scheduler_.Post([waiter] { waiter.resume(); });
    });
    return true;
  }
  absl::Status await_resume() { return std::move(status_); }

 private:
  CallAudit& audit_;
  const Durability durability_;
  Scheduler& scheduler_;
  absl::Status status_;
};

}  // namespace lmbroker::audit
