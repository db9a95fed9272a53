#pragma once

#include <map>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/time/time.h>

namespace lmbroker::client {

// Why the broker refused a call.
struct Refusal {
  absl::StatusCode code = absl::StatusCode::kUnknown;
  std::string reason;                           // stable, such as "NO_GRANT"; what programs decide by
  std::string message;                          // one sentence for a person; it may change
  std::map<std::string, std::string> metadata;  // facts behind the message, such as "field" or "rule"
  std::optional<absl::Duration> retry_after;    // the same call can succeed after this long
  std::string request_id;                       // finds the call in the broker's log and audit; may be empty
};

// The refusal in the status of a call; nothing when the call succeeded or when it failed without the broker's doing.
std::optional<Refusal> RefusalOf(const absl::Status& status);

}  // namespace lmbroker::client
