#pragma once

#include "lmbroker/v1/token_service.grpc.pb.h"
#include "service/core/rotator.h"
#include "service/core/token_admin.h"
#include "service/core/token_create.h"
#include "service/core/token_list.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/edge.h"

namespace lmbroker::rpc {

// TokenService over the token operations of the core.
class TokenService final : public v1::TokenService::AsyncService {
 public:
  struct Parts {
    core::TokenCreate& create;
    core::TokenList& list;
    core::TokenAdmin& admin;
    core::Rotator& rotator;
  };

  TokenService(Edge& edge, const Parts& parts) : edge_(edge), parts_(parts) {}

  // Takes calls from `queue` from now on; once, when the server runs.
  void TakeCalls(CallQueue& queue);

 private:
  Edge& edge_;
  const Parts parts_;
};

}  // namespace lmbroker::rpc
