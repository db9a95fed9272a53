#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace lmbroker::rpc {

// How a call ends, as gRPC's clients are told.
struct WireStatus {
  int code = 0;  // gRPC's number, which Abseil shares
  std::string message;
  std::string details;  // a serialised google.rpc.Status

  bool ok() const { return code == 0; }
};

// The one way out for errors: the refusal with its details, as google.rpc.Status says, plus RequestInfo. A status that
// Refuse did not make (a defect of ours) becomes INTERNAL, with the request id and nothing else.
WireStatus ToWire(const absl::Status& status, std::string_view request_id);

// The gRPC name of a code: "PERMISSION_DENIED".
std::string_view CodeName(absl::StatusCode code);

}  // namespace lmbroker::rpc
