#include "service/rpc/credential_convert.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/rpc/convert.h"

namespace lmbroker::rpc {
namespace {

v1::ProbeResult ToProto(core::ProbeResult result) {
  switch (result) {
    case core::ProbeResult::kWorks:
      return v1::WORKS;
    case core::ProbeResult::kWrongKeyOrDisabled:
      return v1::WRONG_KEY_OR_DISABLED;
    case core::ProbeResult::kNoPermission:
      return v1::NO_PERMISSION;
    case core::ProbeResult::kUnreachable:
      return v1::UNREACHABLE;
  }
  return v1::PROBE_RESULT_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<core::NewCredential> FromProto(v1::ImportCredentialRequest& request) {
  Secret secret = TakeSecret(*request.mutable_secret());
  ASSIGN_OR_RETURN(PortalName portal, PortalName::Parse(request.parent(), "parent"));
  ASSIGN_OR_RETURN(CredentialName name,
                   CredentialName::FromId(std::move(portal), request.credential_id(), "credential_id"));
  ASSIGN_OR_RETURN(const auto type, FromProto(request.type(), "type"));
  if (!type.has_value()) return FieldInvalid("type", "must be LMV1 or BEARER");
  core::NewCredential wanted{.name = std::move(name),
                             .type = *type,
                             .access_id = request.access_id(),
                             .secret = std::move(secret),
                             .master = request.master()};
  if (!request.token().empty()) {
    ASSIGN_OR_RETURN(wanted.token, TokenName::Parse(request.token(), "token"));
  }
  return wanted;
}

absl::StatusOr<core::CredentialQuery> FromProto(const v1::ListCredentialsRequest& request) {
  ASSIGN_OR_RETURN(PortalName portal, PortalName::Parse(request.parent(), "parent"));
  ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  return core::CredentialQuery{.portal = std::move(portal), .page_size = page_size, .page_token = request.page_token()};
}

absl::StatusOr<CredentialToggle> FromProto(const v1::ToggleCredentialRequest& request) {
  ASSIGN_OR_RETURN(CredentialName name, CredentialName::Parse(request.name(), "name"));
  ASSIGN_OR_RETURN(const auto status, FromProto(request.status(), "status"));
  if (!status.has_value()) return FieldInvalid("status", "must say the wanted one: DISABLED or ENABLED");
  return CredentialToggle{.name = std::move(name), .status = *status};
}

v1::CredentialState ToProto(store::CredentialState state) {
  switch (state) {
    case store::CredentialState::kActive:
      return v1::ACTIVE;
    case store::CredentialState::kQuarantined:
      return v1::QUARANTINED;
    case store::CredentialState::kRotating:
      return v1::ROTATING;
  }
  return v1::CREDENTIAL_STATE_UNSPECIFIED;
}

void ToProto(const store::CredentialRecord& record, v1::Credential& out) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  out.set_name(record.name.ToString());
  out.set_type(ToProto(record.type));
  out.set_access_id(record.access_id);
  out.set_master(record.master);
  out.set_status(ToProto(record.status));
  out.set_state(ToProto(record.state));
  if (record.token.has_value()) out.set_token(record.token->ToString());
  out.set_version(static_cast<std::int32_t>(std::min(record.version, kMost)));
  ToProto(record.create_time, *out.mutable_create_time());
  if (record.rotate_time.has_value()) ToProto(*record.rotate_time, *out.mutable_rotate_time());
  if (record.last_use_time.has_value()) ToProto(*record.last_use_time, *out.mutable_last_use_time());
}

void ToProto(core::CredentialPage page, v1::ListCredentialsResponse& out) {
  for (const store::CredentialRecord& record : page.credentials) ToProto(record, *out.add_credentials());
  out.set_next_page_token(std::move(page.next_page_token));
}

void ToProto(const core::Probe& probe, v1::ProbeCredentialResponse& out) {
  out.set_result(ToProto(probe.result));
  if (probe.latency.has_value()) ToProto(*probe.latency, *out.mutable_latency());
  if (probe.clock_skew.has_value()) ToProto(*probe.clock_skew, *out.mutable_clock_skew());
}

}  // namespace lmbroker::rpc
