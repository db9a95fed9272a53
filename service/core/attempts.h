#pragma once

// Getting one authorised call answered: what each attempt needs before it leaves, what is learned from it, and whether
// another one follows.

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>

#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/task.h"
#include "service/core/custody.h"
#include "service/http/client.h"
#include "service/policy/authorized_call.h"
#include "service/portal/budgets.h"

namespace lmbroker::core {

// One call that may go out: it is authorised, and its intent is recorded. What is referred to must outlive the task.
struct Dispatch {
  const policy::AuthorizedCall& call;
  const Custody::Entry& entry;
  const std::string& request_id;
  absl::Duration deadline;  // on Clock::Monotonic
  std::stop_token cancelled;
  const portal::BudgetClaim& claim;  // what each attempt takes from the portal's rate limit
  bool repeatable = false;           // a second one does no harm: a GET, or the caller's word
  bool streaming = false;            // the reply is wanted at its head (http::SendOptions)
};

// What came of it.
struct Dispatched {
  http::TransferResult result;  // of the last attempt
  int attempts = 0;
  std::optional<portal::RateLimit> budget;  // what the portal's headers said
};

// Safe for concurrent use. The parts must outlive it, and its tasks.
class Attempts {
 public:
  struct Parts {
    const Clock& clock;
    http::Client& client;
    portal::Budgets& budgets;
    std::size_t most_reply_bytes = 32 << 20;
  };

  explicit Attempts(Parts parts) : parts_(parts) {}

  // Sends the call, and again where law 6, the portal's rate limit and the deadline allow it. `permit` is for the first
  // attempt. Never holds a thread while it waits.
  Task<Dispatched> Send(Dispatch dispatch, portal::Permit permit) const;

 private:
  Parts parts_;
};

}  // namespace lmbroker::core
