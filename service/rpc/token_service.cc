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

void TokenService::AddTo(Methods& methods) {
  Serve<v1::CreateTokenRequest, v1::CreateTokenResponse>(
      methods, edge_, "/lmbroker.v1.TokenService/CreateToken", kParse,
      [this](core::CallContext& call, core::NewToken wanted) { return parts_.create.Create(call, std::move(wanted)); },
      kWrite);
  Serve<v1::GetTokenRequest, v1::Token>(
      methods, edge_, "/lmbroker.v1.TokenService/GetToken", kParseName,
      [this](core::CallContext& call, const TokenName& name) { return parts_.admin.Get(call, name); }, kWrite);
  Serve<v1::ListTokensRequest, v1::ListTokensResponse>(
      methods, edge_, "/lmbroker.v1.TokenService/ListTokens", kParse,
      [this](core::CallContext& call, const core::TokenQuery& query) { return parts_.list.List(call, query); }, kWrite);
  Serve<v1::UpdateTokenRequest, v1::Token>(
      methods, edge_, "/lmbroker.v1.TokenService/UpdateToken", kParse,
      [this](core::CallContext& call, const core::NoteUpdate& update) { return parts_.admin.UpdateNote(call, update); },
      kWrite);
  Serve<v1::ToggleTokenRequest, v1::Token>(
      methods, edge_, "/lmbroker.v1.TokenService/ToggleToken", kParse,
      [this](core::CallContext& call, const ToggleRequest& toggle) {
        return parts_.admin.Toggle(call, toggle.name, toggle.status);
      },
      kWrite);
  Serve<v1::RotateTokenRequest, v1::RotateTokenResponse>(
      methods, edge_, "/lmbroker.v1.TokenService/RotateToken", kParse,
      [this](core::CallContext& call, const core::TokenRotation& rotation) {
        return parts_.rotator.RotateToken(call, rotation);
      },
      kWrite);
  Serve<v1::DeleteTokenRequest, google::protobuf::Empty>(
      methods, edge_, "/lmbroker.v1.TokenService/DeleteToken", kParseName,
      [this](core::CallContext& call, const TokenName& name) { return Done(parts_.admin.Delete(call, name)); },
      kWriteNothing);
}

}  // namespace lmbroker::rpc
