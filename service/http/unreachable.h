#pragma once

#include <string_view>

#include <absl/status/status.h>

#include "service/base/names.h"

namespace lmbroker::http {

// How far a transfer came; the `phase` of a refusal's metadata.
enum class Phase { kResolve, kConnect, kTls, kSend, kReceive };

// PORTAL_UNREACHABLE. `problem` is ours or an OpenSSL or curl constant, never a portal's text.
absl::Status Unreachable(const PortalName& portal, Phase phase, std::string_view problem);

}  // namespace lmbroker::http
