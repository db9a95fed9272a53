#include "service/audit/audit_log.h"

#include <future>
#include <memory>
#include <utility>

#include "service/base/error.h"

namespace lmbroker::audit {

absl::Status WriteAndWait(AuditLog& log, const Record& record, Durability durability) {
  // Shared, because the thread that sets the promise may still be inside it when this one goes on.
  const auto result = std::make_shared<std::promise<absl::Status>>();
  log.Write(record, durability, [result](absl::Status status) { result->set_value(std::move(status)); });
  return result->get_future().get();
}

absl::Status AuditUnavailable() {
  return Refuse(Reason::kAuditUnavailable,
                "The broker refused the call because its audit log cannot be written in time, and did nothing; repeat "
                "it later, and tell an operator if it lasts.",
                {.retry_after = absl::Seconds(1)});
}

}  // namespace lmbroker::audit
