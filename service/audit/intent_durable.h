#pragma once

#include <coroutine>
#include <utility>

#include <absl/status/status.h>

#include "service/audit/call_audit.h"

namespace lmbroker::audit {

// CallAudit::Intent for coroutines: `IntentDurable intent(audit, Durability::kOnDisk); const absl::Status status =
// co_await intent;`. Resumes on the audit log's thread, or at once on this one when there is nothing to wait for.
class [[nodiscard]] IntentDurable {
 public:
  IntentDurable(CallAudit& audit, Durability durability) : audit_(audit), durability_(durability) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    // `this` lives in the waiter's frame, which may be gone as soon as the status is in: touch nothing after Intent.
    audit_.Intent(durability_, [this, waiter](absl::Status status) {
      status_ = std::move(status);
      waiter.resume();
    });
  }
  absl::Status await_resume() { return std::move(status_); }

 private:
  CallAudit& audit_;
  const Durability durability_;
  absl::Status status_;
};

}  // namespace lmbroker::audit
