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

void CredentialService::AddTo(Methods& methods) {
  Serve<v1::ImportCredentialRequest, v1::Credential>(
      methods, edge_, "/lmbroker.v1.CredentialService/ImportCredential",
      [](auto& request) { return FromProto(request); },
      [this](core::CallContext& call, core::NewCredential wanted) { return admin_.Import(call, std::move(wanted)); },
      kWrite);
  Serve<v1::GetCredentialRequest, v1::Credential>(
      methods, edge_, "/lmbroker.v1.CredentialService/GetCredential", kParseName,
      [this](core::CallContext& call, const CredentialName& name) { return admin_.Get(call, name); }, kWrite);
  Serve<v1::ListCredentialsRequest, v1::ListCredentialsResponse>(
      methods, edge_, "/lmbroker.v1.CredentialService/ListCredentials", kParse,
      [this](core::CallContext& call, const core::CredentialQuery& query) { return admin_.List(call, query); }, kWrite);
  Serve<v1::ToggleCredentialRequest, v1::Credential>(
      methods, edge_, "/lmbroker.v1.CredentialService/ToggleCredential", kParse,
      [this](core::CallContext& call, const CredentialToggle& toggle) {
        return admin_.Toggle(call, toggle.name, toggle.status);
      },
      kWrite);
  Serve<v1::RotateCredentialRequest, v1::Credential>(
      methods, edge_, "/lmbroker.v1.CredentialService/RotateCredential", kParseName,
      [this](core::CallContext& call, const CredentialName& name) { return rotator_.RotateCredential(call, name); },
      kWrite);
  Serve<v1::DeleteCredentialRequest, google::protobuf::Empty>(
      methods, edge_, "/lmbroker.v1.CredentialService/DeleteCredential", kParseName,
      [this](core::CallContext& call, const CredentialName& name) { return Done(admin_.Delete(call, name)); },
      kWriteNothing);
  Serve<v1::ProbeCredentialRequest, v1::ProbeCredentialResponse>(
      methods, edge_, "/lmbroker.v1.CredentialService/ProbeCredential", kParseName,
      [this](core::CallContext& call, const CredentialName& name) { return admin_.TryOut(call, name); }, kWrite);
}

}  // namespace lmbroker::rpc
