#pragma once

#include <absl/status/status.h>

#include "service/http/client.h"
#include "service/portal/repeat.h"

namespace lmbroker::core {

// What to tell a caller when no (whole) reply came. LM may have acted on a request of which some left: unless a repeat
// does no harm, OUTCOME_UNKNOWN is the answer, whatever ended the wait.
absl::Status ToldOfLostAnswer(const absl::Status& status, http::Delivery delivery, portal::Repeatable repeatable);

}  // namespace lmbroker::core
