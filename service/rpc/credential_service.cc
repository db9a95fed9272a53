#include "service/rpc/credential_service.h"

#include <utility>

#include "service/rpc/credential_convert.h"
#include "service/rpc/unary.h"

namespace lmbroker::rpc {
namespace {

// The form of a request, and the shape of an answer, are chosen by their types (credential_convert.h).
constexpr auto kParse = [](const auto& request) { return FromProto(request); };
constexpr auto kWrite = [](auto value, auto& response) { ToProto(std::move(value), response); };
constexpr auto kParseName = [](const auto& request) { return CredentialName::Parse(request.name(), "name"); };

}  // namespace

grpc::ServerUnaryReactor* CredentialService::ImportCredential(grpc::CallbackServerContext* context,
                                                              const v1::ImportCredentialRequest* request,
                                                              v1::Credential* response) {
  return Serve(
      edge_, "/lmbroker.v1.CredentialService/ImportCredential", context, request, response, kParse,
      [this](core::CallContext& call, core::NewCredential wanted) { return admin_.Import(call, std::move(wanted)); },
      kWrite);
}

grpc::ServerUnaryReactor* CredentialService::GetCredential(grpc::CallbackServerContext* context,
                                                           const v1::GetCredentialRequest* request,
                                                           v1::Credential* response) {
  return Serve(
      edge_, "/lmbroker.v1.CredentialService/GetCredential", context, request, response, kParseName,
      [this](core::CallContext& call, const CredentialName& name) { return admin_.Get(call, name); }, kWrite);
}

grpc::ServerUnaryReactor* CredentialService::ListCredentials(grpc::CallbackServerContext* context,
                                                             const v1::ListCredentialsRequest* request,
                                                             v1::ListCredentialsResponse* response) {
  return Serve(
      edge_, "/lmbroker.v1.CredentialService/ListCredentials", context, request, response, kParse,
      [this](core::CallContext& call, const core::CredentialQuery& query) { return admin_.List(call, query); }, kWrite);
}

grpc::ServerUnaryReactor* CredentialService::ToggleCredential(grpc::CallbackServerContext* context,
                                                              const v1::ToggleCredentialRequest* request,
                                                              v1::Credential* response) {
  return Serve(
      edge_, "/lmbroker.v1.CredentialService/ToggleCredential", context, request, response, kParse,
      [this](core::CallContext& call, const CredentialToggle& toggle) {
        return admin_.Toggle(call, toggle.name, toggle.status);
      },
      kWrite);
}

grpc::ServerUnaryReactor* CredentialService::DeleteCredential(grpc::CallbackServerContext* context,
                                                              const v1::DeleteCredentialRequest* request,
                                                              google::protobuf::Empty* response) {
  return Serve(
      edge_, "/lmbroker.v1.CredentialService/DeleteCredential", context, request, response, kParseName,
      [this](core::CallContext& call, const CredentialName& name) { return Done(admin_.Delete(call, name)); },
      kWriteNothing);
}

grpc::ServerUnaryReactor* CredentialService::ProbeCredential(grpc::CallbackServerContext* context,
                                                             const v1::ProbeCredentialRequest* request,
                                                             v1::ProbeCredentialResponse* response) {
  return Serve(
      edge_, "/lmbroker.v1.CredentialService/ProbeCredential", context, request, response, kParseName,
      [this](core::CallContext& call, const CredentialName& name) { return admin_.TryOut(call, name); }, kWrite);
}

}  // namespace lmbroker::rpc
