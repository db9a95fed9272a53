#pragma once

#include "lmbroker/v1/policy_service.grpc.pb.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/edge.h"

namespace lmbroker::rpc {

// PolicyService over policy::Engine. Its answers are those of the real decision: the same function.
class PolicyService final : public v1::PolicyService::AsyncService {
 public:
  explicit PolicyService(Edge& edge) : edge_(edge) {}

  // Takes calls from `queue` from now on; once, when the server runs.
  void TakeCalls(CallQueue& queue);

 private:
  Edge& edge_;
};

}  // namespace lmbroker::rpc
