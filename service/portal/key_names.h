#pragma once

#include <string_view>

namespace lmbroker::portal {

// Whether a field or property of this name holds a secret. Letter case, `_` and `-` do not count.
// * Names that end in: accesskey, secretkey, apikey, privatekey, serviceaccountkey, password, passwd, passphrase,
//   secret, apitoken, accesstoken, authtoken, privtoken, refreshtoken, bearertoken.
// * The name `token` alone.
// * Names of properties that end in: .pass, .pwd, .key, .auth, .community, .token, .credentials.
bool IsKeyLike(std::string_view name);

}  // namespace lmbroker::portal
