#pragma once

// The endpoints of LM that need more than a pattern: those that show or mint keys, and those that change who may do
// what at the portal. Judged as an attacker would write them: in any letter case, with anything behind, on either base.

#include <span>
#include <string_view>

#include <absl/status/status.h>

#include "service/http/method.h"
#include "service/http/path.h"
#include "service/http/request.h"

namespace lmbroker::policy {

// The parts of a canonical path between its slashes.
using Segments = std::span<const std::string_view>;

// Whether some segment of the path names LM's API tokens (logicmonitor-api, section 4.1).
bool IsSecretEndpoint(Segments path);
inline bool IsSecretEndpoint(const http::CanonicalPath& path) { return IsSecretEndpoint(path.segments()); }

// Whether the call writes to users or roles: any method but GET on /setting/admins… or /setting/roles….
bool IsAccountWrite(http::Method method, Segments path);
inline bool IsAccountWrite(http::Method method, const http::CanonicalPath& path) {
  return IsAccountWrite(method, path.segments());
}

// SECRET_ENDPOINT for a write to users whose body holds tokens: LM's user object embeds them writable, so that it would
// mint or enable keys (logicmonitor-api, section 4.4). FIELD_INVALID for a body that cannot be read as JSON.
absl::Status RefuseEmbeddedTokens(const http::CanonicalRequest& request);

}  // namespace lmbroker::policy
