#pragma once

#include <stop_token>
#include <string>

#include <absl/time/time.h>

#include "service/base/byte_budget.h"
#include "service/base/caller.h"

namespace lmbroker::audit {
class CallAudit;
}

namespace lmbroker::core {

// What every operation of the broker knows about the call that it serves. Lives as long as the call; the audit handle
// is used by one thread at a time.
struct CallContext {
  Caller caller;
  std::string request_id;
  absl::Duration deadline;    // on Clock::Monotonic; always finite
  std::stop_token cancelled;  // a stop request means that the caller gave up
  audit::CallAudit& audit;
  ByteLease memory;  // counts the bodies that are held for it, up to its very end
};

}  // namespace lmbroker::core
