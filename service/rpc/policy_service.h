#pragma once

#include "lmbroker/v1/policy_service.pb.h"
#include "service/core/policy_questions.h"
#include "service/http/request.h"
#include "service/rpc/edge.h"
#include "service/rpc/method.h"

namespace lmbroker::rpc {

// PolicyService over core::PolicyQuestions.
class PolicyService final {
 public:
  PolicyService(Edge& edge, const core::PolicyQuestions& questions, http::RequestLimits limits)
      : edge_(edge), questions_(questions), limits_(limits) {}

  void AddTo(Methods& methods);

 private:
  Edge& edge_;
  const core::PolicyQuestions& questions_;
  const http::RequestLimits limits_;
};

}  // namespace lmbroker::rpc
