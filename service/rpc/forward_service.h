#pragma once

#include "lmbroker/v1/forward_service.pb.h"
#include "service/core/forwarder.h"
#include "service/http/request.h"
#include "service/rpc/edge.h"
#include "service/rpc/method.h"

namespace lmbroker::rpc {

// ForwardService over core::Forwarder.
class ForwardService final {
 public:
  ForwardService(Edge& edge, const core::Forwarder& forwarder, http::RequestLimits limits)
      : edge_(edge), forwarder_(forwarder), limits_(limits) {}

  void AddTo(Methods& methods);

 private:
  Edge& edge_;
  const core::Forwarder& forwarder_;
  const http::RequestLimits limits_;
};

}  // namespace lmbroker::rpc
