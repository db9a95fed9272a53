#pragma once

// CredentialService's messages ⇄ the core's values, field by field.

#include <absl/status/statusor.h>

#include "lmbroker/v1/credential_service.pb.h"
#include "service/core/credential_admin.h"

namespace lmbroker::rpc {

struct CredentialToggle {
  CredentialName name;
  TokenStatus status = TokenStatus::kDisabled;
};

// Takes the secret out of the request.
absl::StatusOr<core::NewCredential> FromProto(v1::ImportCredentialRequest& request);
absl::StatusOr<core::CredentialQuery> FromProto(const v1::ListCredentialsRequest& request);
absl::StatusOr<CredentialToggle> FromProto(const v1::ToggleCredentialRequest& request);

v1::CredentialState ToProto(store::CredentialState state);
void ToProto(const store::CredentialRecord& record, v1::Credential& out);
void ToProto(core::CredentialPage page, v1::ListCredentialsResponse& out);
void ToProto(const core::Probe& probe, v1::ProbeCredentialResponse& out);

}  // namespace lmbroker::rpc
