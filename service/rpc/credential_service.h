#pragma once

#include "lmbroker/v1/credential_service.grpc.pb.h"
#include "service/core/credential_admin.h"
#include "service/rpc/edge.h"

namespace lmbroker::rpc {

// CredentialService over core::CredentialAdmin.
class CredentialService final : public v1::CredentialService::CallbackService {
 public:
  CredentialService(Edge& edge, core::CredentialAdmin& admin) : edge_(edge), admin_(admin) {}

  grpc::ServerUnaryReactor* ImportCredential(grpc::CallbackServerContext* context,
                                             const v1::ImportCredentialRequest* request,
                                             v1::Credential* response) override;
  grpc::ServerUnaryReactor* GetCredential(grpc::CallbackServerContext* context, const v1::GetCredentialRequest* request,
                                          v1::Credential* response) override;
  grpc::ServerUnaryReactor* ListCredentials(grpc::CallbackServerContext* context,
                                            const v1::ListCredentialsRequest* request,
                                            v1::ListCredentialsResponse* response) override;
  grpc::ServerUnaryReactor* ToggleCredential(grpc::CallbackServerContext* context,
                                             const v1::ToggleCredentialRequest* request,
                                             v1::Credential* response) override;
  grpc::ServerUnaryReactor* DeleteCredential(grpc::CallbackServerContext* context,
                                             const v1::DeleteCredentialRequest* request,
                                             google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* ProbeCredential(grpc::CallbackServerContext* context,
                                            const v1::ProbeCredentialRequest* request,
                                            v1::ProbeCredentialResponse* response) override;

 private:
  Edge& edge_;
  core::CredentialAdmin& admin_;
};

}  // namespace lmbroker::rpc
