#pragma once

#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/secret.h"
#include "service/base/token.h"
#include "service/http/outgoing_request.h"
#include "service/policy/authorized_call.h"

namespace lmbroker::sign {

// One usable key: what a credential opens to. Lives as short as its call.
struct Key {
  TokenType type = TokenType::kLmv1;
  std::string access_id;  // LMv1
  Secret secret;          // LMv1: the access key; Bearer: the token, without the word "Bearer"
};

// Turns an authorised call into one that can be sent. Pure; the only maker of http::OutgoingRequest.
class Signer {
 public:
  // `now` is portal time: taken after all waits, corrected by the measured skew.
  static http::OutgoingRequest Sign(const policy::AuthorizedCall& call, const Key& key, absl::Time now,
                                    std::string request_id);
};

}  // namespace lmbroker::sign
