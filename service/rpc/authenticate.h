#pragma once

#include <string>

#include <absl/status/statusor.h>
#include <grpcpp/server_context.h>

#include "service/base/caller.h"
#include "service/policy/engine.h"

namespace lmbroker::rpc {

// Who calls, from the verified client certificate of the connection and the policy in force. NO_IDENTITY when the
// certificate names nobody, or two callers. An identity without a caller in the policy is authenticated, without a
// name.
absl::StatusOr<Caller> Authenticate(const grpc::ServerContextBase& context, const policy::Engine& engine);

// The network address of the other side: "ipv4:127.0.0.1:40000".
std::string PeerAddress(const grpc::ServerContextBase& context);

}  // namespace lmbroker::rpc
