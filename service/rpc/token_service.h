#pragma once

#include "lmbroker/v1/token_service.pb.h"
#include "service/core/rotator.h"
#include "service/core/token_admin.h"
#include "service/core/token_create.h"
#include "service/core/token_list.h"
#include "service/rpc/edge.h"
#include "service/rpc/method.h"

namespace lmbroker::rpc {

// TokenService over the token operations of the core.
class TokenService final {
 public:
  struct Parts {
    core::TokenCreate& create;
    core::TokenList& list;
    core::TokenAdmin& admin;
    core::Rotator& rotator;
  };

  TokenService(Edge& edge, const Parts& parts) : edge_(edge), parts_(parts) {}

  void AddTo(Methods& methods);

 private:
  Edge& edge_;
  const Parts parts_;
};

}  // namespace lmbroker::rpc
