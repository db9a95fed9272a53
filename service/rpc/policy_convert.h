#pragma once

// PolicyService's messages ⇄ the core's values.

#include <string>

#include <absl/status/statusor.h>

#include "lmbroker/v1/policy_service.pb.h"
#include "service/core/policy_questions.h"
#include "service/http/request.h"

namespace lmbroker::rpc {

absl::StatusOr<core::AccessQuestion> FromProto(const v1::ExplainAccessRequest& request);
absl::StatusOr<core::ForwardCall> FromProto(const v1::ExplainSignatureRequest& request,
                                            const http::RequestLimits& limits);
// The text of the policy, or the name of the caller.
absl::StatusOr<std::string> FromProto(const v1::DiffPolicyRequest& request);
absl::StatusOr<std::string> FromProto(const v1::ListGrantsRequest& request);

void ToProto(policy::Decision decision, v1::ExplainAccessResponse& out);
void ToProto(core::SignatureExplanation explanation, v1::ExplainSignatureResponse& out);
// At most a thousand of each kind.
void ToProto(const policy::PolicyDiff& diff, v1::DiffPolicyResponse& out);
void ToProto(const core::CallerGrants& grants, v1::ListGrantsResponse& out);

}  // namespace lmbroker::rpc
