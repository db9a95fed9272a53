#pragma once

// TokenService's messages ⇄ the core's values, field by field.

#include <absl/status/statusor.h>

#include "lmbroker/v1/token_service.pb.h"
#include "service/core/rotator.h"
#include "service/core/token.h"
#include "service/core/token_admin.h"
#include "service/core/token_create.h"
#include "service/core/token_list.h"

namespace lmbroker::rpc {

struct ToggleRequest {
  TokenName name;
  TokenStatus status = TokenStatus::kDisabled;
};

absl::StatusOr<core::NewToken> FromProto(const v1::CreateTokenRequest& request);
absl::StatusOr<core::TokenQuery> FromProto(const v1::ListTokensRequest& request);
absl::StatusOr<core::NoteUpdate> FromProto(const v1::UpdateTokenRequest& request);
absl::StatusOr<ToggleRequest> FromProto(const v1::ToggleTokenRequest& request);
absl::StatusOr<core::TokenRotation> FromProto(const v1::RotateTokenRequest& request);

void ToProto(core::Token token, v1::Token& out);
void ToProto(core::CreatedToken created, v1::CreateTokenResponse& out);
void ToProto(core::RotatedToken rotated, v1::RotateTokenResponse& out);
void ToProto(core::TokenPage page, v1::ListTokensResponse& out);

}  // namespace lmbroker::rpc
