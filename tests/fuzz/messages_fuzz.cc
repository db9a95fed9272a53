// Whatever bytes come as the request of an RPC, its form is judged: taken, or refused for its form in words that can be
// printed and do not repeat it. The first byte chooses the RPC.

#include <cstdint>
#include <string>

#include <absl/status/status.h>

#include "lmbroker/v1/credential_service.pb.h"
#include "lmbroker/v1/forward_service.pb.h"
#include "lmbroker/v1/policy_service.pb.h"
#include "lmbroker/v1/token_service.pb.h"
#include "service/rpc/credential_convert.h"
#include "service/rpc/forward_convert.h"
#include "service/rpc/policy_convert.h"
#include "service/rpc/token_convert.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {
namespace {

constexpr http::RequestLimits kLimits{.body = 1 << 12};

// A judgement on the form: the same for everyone, so it may say nothing of what there is.
void RequireForm(const absl::Status& status) {
  if (status.ok()) return;
  Require(ReasonOf(status).has_value(), "a refusal has a reason");
  RequireRefusal(status, *ReasonOf(status));
  Require(absl::IsInvalidArgument(status) || IsRefusal(status, Reason::kBodyTooLarge),
          "a form is refused for its form");
  for (const auto& [name, value] : MetadataOf(status)) Require(value.size() < 200, "metadata is short");
}

template <class Request, class Judge>
void Try(std::string_view bytes, Judge judge) {
  Request request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  RequireForm(judge(request));
}

template <class Request>
void TryForm(std::string_view bytes) {
  Try<Request>(bytes, [](Request& request) { return rpc::FromProto(request).status(); });
}

template <class Request, class Name>
void TryName(std::string_view bytes) {
  Try<Request>(bytes, [](const Request& request) { return Name::Parse(request.name(), "name").status(); });
}

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  if (input.empty()) return;
  const auto rpc = static_cast<std::uint8_t>(input.front()) % 16;
  const std::string_view bytes = input.substr(1);
  switch (rpc) {
    case 0:
      return Try<v1::ForwardRequest>(bytes,
                                     [](v1::ForwardRequest& r) { return rpc::ParseForward(r, kLimits).status(); });
    case 1:
      return Try<v1::ExplainSignatureRequest>(
          bytes, [](const v1::ExplainSignatureRequest& r) { return rpc::FromProto(r, kLimits).status(); });
    case 2:
      return TryForm<v1::CreateTokenRequest>(bytes);
    case 3:
      return TryForm<v1::ListTokensRequest>(bytes);
    case 4:
      return TryForm<v1::UpdateTokenRequest>(bytes);
    case 5:
      return TryForm<v1::ToggleTokenRequest>(bytes);
    case 6:
      return TryName<v1::GetTokenRequest, TokenName>(bytes);
    case 7:
      return TryName<v1::DeleteTokenRequest, TokenName>(bytes);
    case 8:
      return TryForm<v1::ImportCredentialRequest>(bytes);
    case 9:
      return TryForm<v1::ListCredentialsRequest>(bytes);
    case 10:
      return TryForm<v1::ToggleCredentialRequest>(bytes);
    case 11:
      return TryName<v1::GetCredentialRequest, CredentialName>(bytes);
    case 12:
      return TryName<v1::ProbeCredentialRequest, CredentialName>(bytes);
    case 13:
      return TryForm<v1::ExplainAccessRequest>(bytes);
    case 14:
      return TryForm<v1::ListGrantsRequest>(bytes);
    default:
      return TryForm<v1::DiffPolicyRequest>(bytes);
  }
}

}  // namespace lmbroker::fuzz
