#pragma once

#include "lmbroker/v1/policy_service.grpc.pb.h"
#include "service/rpc/edge.h"

namespace lmbroker::rpc {

// PolicyService over policy::Engine. Its answers are those of the real decision: the same function.
class PolicyService final : public v1::PolicyService::CallbackService {
 public:
  explicit PolicyService(Edge& edge) : edge_(edge) {}

  grpc::ServerUnaryReactor* ExplainAccess(grpc::CallbackServerContext* context, const v1::ExplainAccessRequest* request,
                                          v1::ExplainAccessResponse* response) override;

 private:
  Edge& edge_;
};

}  // namespace lmbroker::rpc
