#pragma once

// ForwardService's messages ⇄ the core's values.

#include <vector>

#include <absl/status/statusor.h>

#include "lmbroker/v1/forward_service.pb.h"
#include "service/core/forwarder.h"
#include "service/http/headers.h"
#include "service/http/request.h"

namespace lmbroker::rpc {

// Names with values, such as a message's repeated query.
template <class Pairs>
std::vector<http::NameValue> PairsOf(const Pairs& pairs) {
  std::vector<http::NameValue> out;
  out.reserve(static_cast<std::size_t>(pairs.size()));
  for (const auto& pair : pairs) out.push_back({pair.name(), pair.value()});
  return out;
}

// The form of a request (PATH_NOT_PLAIN, HEADER_NOT_ALLOWED, FIELD_INVALID, BODY_TOO_LARGE).
absl::StatusOr<core::ForwardCall> ParseForward(v1::ForwardRequest request, const http::RequestLimits& limits);

void ToProto(core::ForwardReply reply, v1::ForwardResponse& response);

}  // namespace lmbroker::rpc
