#pragma once

#include <string_view>

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

namespace lmbroker::rpc {

// The one way out for errors: the refusal with its details, as google.rpc.Status says, plus RequestInfo. A status that
// Refuse did not make (a defect of ours) becomes INTERNAL, with the request id and nothing else.
grpc::Status ToGrpc(const absl::Status& status, std::string_view request_id);

// The gRPC name of a code: "PERMISSION_DENIED".
std::string_view CodeName(absl::StatusCode code);

}  // namespace lmbroker::rpc
