#pragma once

// Replies as text for people: aligned, names in their short form, times in UTC, never a control character.

#include <string>

#include <google/protobuf/empty.pb.h>

#include "lmbroker/v1/credential_service.pb.h"
#include "lmbroker/v1/operator_service.pb.h"
#include "lmbroker/v1/policy_service.pb.h"
#include "lmbroker/v1/token_service.pb.h"

namespace lmbroker::cli {

std::string ToText(const v1::Token& token);
std::string ToText(const v1::CreateTokenResponse& created);
std::string ToText(const v1::ListTokensResponse& list);
std::string ToText(const v1::RotateTokenResponse& rotated);
std::string ToText(const v1::Credential& credential);
std::string ToText(const v1::ListCredentialsResponse& list);
std::string ToText(const v1::ProbeCredentialResponse& probe);
std::string ToText(const v1::ExplainAccessResponse& answer);
std::string ToText(const v1::DiffPolicyResponse& diff);
std::string ToText(const v1::GetStatusResponse& status);
std::string ToText(const v1::Lease& lease);
std::string ToText(const v1::ListLeasesResponse& list);
std::string ToText(const v1::SealResponse&);
std::string ToText(const v1::UnsealResponse&);
std::string ToText(const google::protobuf::Empty& done);

}  // namespace lmbroker::cli
