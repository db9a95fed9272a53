#pragma once

#include <string>

#include <absl/status/status.h>

#include "service/base/error.h"
#include "service/http/client.h"

namespace lmbroker::portal {

// What a management request of the broker's own may have changed when LM's answer does not say.
enum class Effect {
  kRepeatable,  // a read, or a change that a repeat only confirms: a failure is PORTAL_ERROR
  kCreate,      // a repeat would make a second one: a failure without a clear "no" is OUTCOME_UNKNOWN
};

// LM's answer to a request of a typed RPC as our refusal (contract, section 3); OK when LM did what it was asked to.
// Knows LM's ways of saying no (logicmonitor-api, section 6): the HTTP status, an `errorCode` under a good status, the
// ingest shape, pages of HTML. `not_found` is what 404 means here. The metadata has LM's own words: http_status,
// error_code and error_message, bounded and printable. Scrub the reply first: a message may quote what LM was sent.
absl::Status CheckReply(const http::Response& reply, Effect effect, Reason not_found);

// Whether a reply is good as it stands, and will be for a while: 200, and no word of an error or of work that goes on.
bool IsPlainSuccess(int http_status, const std::string& body);

}  // namespace lmbroker::portal
