#pragma once

#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/names.h"
#include "service/http/headers.h"
#include "service/portal/rate_limit.h"

namespace lmbroker::core {

// The portal's answer, as the caller may see it. An HTTP error of the portal is an answer, too.
struct ForwardReply {
  int status = 0;
  std::vector<http::NameValue> headers;  // those of the reply allow-list
  std::string body;                      // scrubbed
  CredentialName credential;
  int attempts = 1;
  std::optional<portal::RateLimit> budget;  // what the portal's headers said
  std::optional<absl::Duration> age;        // since the portal answered; set when it answered another call than this
  std::string request_id;                   // of its audit records
};

// What sending a call came to: for its caller, and for the audit.
struct Answer {
  absl::StatusOr<ForwardReply> reply;
  int attempts = 0;
  std::optional<int> http_status;
};

}  // namespace lmbroker::core
