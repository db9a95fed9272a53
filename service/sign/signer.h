#pragma once

#include <string>

#include <absl/time/time.h>

#include "service/http/outgoing_request.h"
#include "service/policy/authorized_call.h"
#include "service/sign/key.h"

namespace lmbroker::sign {

// Turns an authorised call into one that can be sent. Pure; the only maker of http::OutgoingRequest, and it gives a
// signature to nobody else: LMv1 does not sign the query, so a signature alone is good for other queries.
class Signer {
 public:
  // `now` is portal time: taken after all waits, corrected by the measured skew.
  static http::OutgoingRequest Sign(const policy::AuthorizedCall& call, const Key& key, absl::Time now,
                                    std::string request_id);
};

}  // namespace lmbroker::sign
