#pragma once

#include "lmbroker/v1/forward_service.grpc.pb.h"
#include "service/core/forwarder.h"
#include "service/http/request.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/edge.h"

namespace lmbroker::rpc {

// ForwardService over core::Forwarder.
class ForwardService final : public v1::ForwardService::AsyncService {
 public:
  ForwardService(Edge& edge, const core::Forwarder& forwarder, http::RequestLimits limits)
      : edge_(edge), forwarder_(forwarder), limits_(limits) {}

  // Takes calls from `queue` from now on; once, when the server runs.
  void TakeCalls(CallQueue& queue);

 private:
  Edge& edge_;
  const core::Forwarder& forwarder_;
  const http::RequestLimits limits_;
};

}  // namespace lmbroker::rpc
