#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/identity/jwt.h"
#include "service/identity/public_key.h"
#include "service/identity/service_account.h"

namespace lmbroker::identity {

// Whose token this is, by the key that it names: BAD_TOKEN unless the key is one for the token's algorithm, the
// signature is good, and the claims are (service_account.h). Claims are not read before the signature is good.
absl::StatusOr<ServiceAccount> CheckToken(const Jwt& token, const PublicKey& key, const TokenRules& rules,
                                          absl::Time now);

}  // namespace lmbroker::identity
