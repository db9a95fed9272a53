#include "service/rpc/token_service.h"

#include <utility>

#include "service/rpc/token_convert.h"
#include "service/rpc/unary.h"

namespace lmbroker::rpc {
namespace {

// The form of a request, and the shape of an answer, are chosen by their types (token_convert.h).
constexpr auto kParse = [](const auto& request) { return FromProto(request); };
constexpr auto kWrite = [](auto value, auto& response) { ToProto(std::move(value), response); };
constexpr auto kParseName = [](const auto& request) { return TokenName::Parse(request.name(), "name"); };

}  // namespace

grpc::ServerUnaryReactor* TokenService::CreateToken(grpc::CallbackServerContext* context,
                                                    const v1::CreateTokenRequest* request,
                                                    v1::CreateTokenResponse* response) {
  return Serve(
      edge_, "/lmbroker.v1.TokenService/CreateToken", context, request, response, kParse,
      [this](core::CallContext& call, core::NewToken wanted) { return parts_.create.Create(call, std::move(wanted)); },
      kWrite);
}

grpc::ServerUnaryReactor* TokenService::GetToken(grpc::CallbackServerContext* context,
                                                 const v1::GetTokenRequest* request, v1::Token* response) {
  return Serve(
      edge_, "/lmbroker.v1.TokenService/GetToken", context, request, response, kParseName,
      [this](core::CallContext& call, const TokenName& name) { return parts_.admin.Get(call, name); }, kWrite);
}

grpc::ServerUnaryReactor* TokenService::ListTokens(grpc::CallbackServerContext* context,
                                                   const v1::ListTokensRequest* request,
                                                   v1::ListTokensResponse* response) {
  return Serve(
      edge_, "/lmbroker.v1.TokenService/ListTokens", context, request, response, kParse,
      [this](core::CallContext& call, const core::TokenQuery& query) { return parts_.list.List(call, query); }, kWrite);
}

grpc::ServerUnaryReactor* TokenService::UpdateToken(grpc::CallbackServerContext* context,
                                                    const v1::UpdateTokenRequest* request, v1::Token* response) {
  return Serve(
      edge_, "/lmbroker.v1.TokenService/UpdateToken", context, request, response, kParse,
      [this](core::CallContext& call, const core::NoteUpdate& update) { return parts_.admin.UpdateNote(call, update); },
      kWrite);
}

grpc::ServerUnaryReactor* TokenService::ToggleToken(grpc::CallbackServerContext* context,
                                                    const v1::ToggleTokenRequest* request, v1::Token* response) {
  return Serve(
      edge_, "/lmbroker.v1.TokenService/ToggleToken", context, request, response, kParse,
      [this](core::CallContext& call, const ToggleRequest& toggle) {
        return parts_.admin.Toggle(call, toggle.name, toggle.status);
      },
      kWrite);
}

grpc::ServerUnaryReactor* TokenService::DeleteToken(grpc::CallbackServerContext* context,
                                                    const v1::DeleteTokenRequest* request,
                                                    google::protobuf::Empty* response) {
  return Serve(
      edge_, "/lmbroker.v1.TokenService/DeleteToken", context, request, response, kParseName,
      [this](core::CallContext& call, const TokenName& name) { return Done(parts_.admin.Delete(call, name)); },
      kWriteNothing);
}

}  // namespace lmbroker::rpc
