#pragma once

#include "lmbroker/v1/token_service.grpc.pb.h"
#include "service/core/token_admin.h"
#include "service/core/token_create.h"
#include "service/core/token_list.h"
#include "service/rpc/edge.h"

namespace lmbroker::rpc {

// TokenService over the token operations of the core.
class TokenService final : public v1::TokenService::CallbackService {
 public:
  struct Parts {
    core::TokenCreate& create;
    core::TokenList& list;
    core::TokenAdmin& admin;
  };

  TokenService(Edge& edge, const Parts& parts) : edge_(edge), parts_(parts) {}

  grpc::ServerUnaryReactor* CreateToken(grpc::CallbackServerContext* context, const v1::CreateTokenRequest* request,
                                        v1::CreateTokenResponse* response) override;
  grpc::ServerUnaryReactor* GetToken(grpc::CallbackServerContext* context, const v1::GetTokenRequest* request,
                                     v1::Token* response) override;
  grpc::ServerUnaryReactor* ListTokens(grpc::CallbackServerContext* context, const v1::ListTokensRequest* request,
                                       v1::ListTokensResponse* response) override;
  grpc::ServerUnaryReactor* UpdateToken(grpc::CallbackServerContext* context, const v1::UpdateTokenRequest* request,
                                        v1::Token* response) override;
  grpc::ServerUnaryReactor* ToggleToken(grpc::CallbackServerContext* context, const v1::ToggleTokenRequest* request,
                                        v1::Token* response) override;
  grpc::ServerUnaryReactor* DeleteToken(grpc::CallbackServerContext* context, const v1::DeleteTokenRequest* request,
                                        google::protobuf::Empty* response) override;

 private:
  Edge& edge_;
  const Parts parts_;
};

}  // namespace lmbroker::rpc
