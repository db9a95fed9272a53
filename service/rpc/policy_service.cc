#include "service/rpc/policy_service.h"

#include <string>
#include <utility>

#include "service/rpc/policy_convert.h"
#include "service/rpc/unary.h"

namespace lmbroker::rpc {
namespace {

// The form of a request, and the shape of an answer, are chosen by their types (policy_convert.h).
constexpr auto kParse = [](const auto& request) { return FromProto(request); };
constexpr auto kWrite = [](auto value, auto& response) { ToProto(std::move(value), response); };

}  // namespace

void PolicyService::AddTo(Methods& methods) {
  Serve<v1::ExplainAccessRequest, v1::ExplainAccessResponse>(
      methods, edge_, "/lmbroker.v1.PolicyService/ExplainAccess", kParse,
      [this](core::CallContext& call, const core::AccessQuestion& question) {
        return questions_.Explain(call, question);
      },
      kWrite);
  Serve<v1::ExplainSignatureRequest, v1::ExplainSignatureResponse>(
      methods, edge_, "/lmbroker.v1.PolicyService/ExplainSignature",
      [this](const v1::ExplainSignatureRequest& request) { return FromProto(request, limits_); },
      [this](core::CallContext& call, const core::ForwardCall& asked) {
        return questions_.ExplainSignature(call, asked);
      },
      kWrite);
  Serve<v1::DiffPolicyRequest, v1::DiffPolicyResponse>(
      methods, edge_, "/lmbroker.v1.PolicyService/DiffPolicy", kParse,
      [this](core::CallContext& call, const std::string& yaml) { return questions_.Diff(call, yaml); }, kWrite);
  Serve<v1::ListGrantsRequest, v1::ListGrantsResponse>(
      methods, edge_, "/lmbroker.v1.PolicyService/ListGrants", kParse,
      [this](core::CallContext& call, const std::string& caller) { return questions_.Grants(call, caller); }, kWrite);
}

}  // namespace lmbroker::rpc
