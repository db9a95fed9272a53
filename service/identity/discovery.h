#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/base/https_service.h"

namespace lmbroker::identity {

// Fetches the key set (its text) of the cluster's token issuer: from where `/.well-known/openid-configuration` says, or
// from `/openid/v1/jwks` when that names another host, since no other host is contacted. Blocks. An error says what to
// look at; also when the document is of another issuer than `issuer`.
absl::StatusOr<std::string> FetchKeys(HttpsService& api, std::string_view issuer);

}  // namespace lmbroker::identity
