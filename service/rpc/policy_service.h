#pragma once

#include "lmbroker/v1/policy_service.grpc.pb.h"
#include "service/core/policy_questions.h"
#include "service/http/request.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/edge.h"

namespace lmbroker::rpc {

// PolicyService over core::PolicyQuestions.
class PolicyService final : public v1::PolicyService::AsyncService {
 public:
  PolicyService(Edge& edge, const core::PolicyQuestions& questions, http::RequestLimits limits)
      : edge_(edge), questions_(questions), limits_(limits) {}

  // Takes calls from `queue` from now on; once, when the server runs.
  void TakeCalls(CallQueue& queue);

 private:
  Edge& edge_;
  const core::PolicyQuestions& questions_;
  const http::RequestLimits limits_;
};

}  // namespace lmbroker::rpc
