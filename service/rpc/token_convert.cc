#include "service/rpc/token_convert.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/rpc/convert.h"

namespace lmbroker::rpc {
namespace {

v1::Custody ToProto(core::TokenHolder holder) {
  switch (holder) {
    case core::TokenHolder::kBroker:
      return v1::BROKER;
    case core::TokenHolder::kHandedOver:
      return v1::HANDED_OVER;
    case core::TokenHolder::kForeign:
      return v1::FOREIGN;
  }
  return v1::CUSTODY_UNSPECIFIED;
}

// What LM sends is not ours to trust: a proto3 string that is not UTF-8 could not be sent on.
void SetText(std::string text, std::string& out) {
  if (IsUtf8(text)) {
    out = std::move(text);
  } else {
    out = Excerpt(text);
  }
}

}  // namespace

absl::StatusOr<core::NewToken> FromProto(const v1::CreateTokenRequest& request) {
  ASSIGN_OR_RETURN(AdminName parent, AdminName::Parse(request.parent(), "parent"));
  ASSIGN_OR_RETURN(const auto type, FromProto(request.token().type(), "token.type"));
  ASSIGN_OR_RETURN(const auto status, FromProto(request.token().status(), "token.status"));
  core::NewToken wanted{.parent = std::move(parent),
                        .type = type.value_or(TokenType::kLmv1),
                        .note = request.token().note(),
                        .status = status.value_or(TokenStatus::kEnabled),
                        .hand_over = request.hand_over(),
                        .request_id = request.request_id()};
  if (!request.credential_id().empty()) {
    ASSIGN_OR_RETURN(wanted.credential,
                     CredentialName::FromId(wanted.parent.portal(), request.credential_id(), "credential_id"));
  }
  if (request.has_ttl()) {
    ASSIGN_OR_RETURN(wanted.ttl, FromProto(request.ttl(), "ttl"));
  }
  return wanted;
}

absl::StatusOr<core::TokenQuery> FromProto(const v1::ListTokensRequest& request) {
  ASSIGN_OR_RETURN(const auto type, FromProto(request.type(), "type"));
  ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  const auto admin = AdminName::Parse(request.parent(), "parent");
  const auto portal =
      admin.ok() ? absl::StatusOr<PortalName>(admin->portal()) : PortalName::Parse(request.parent(), "parent");
  if (!portal.ok()) {
    return FieldInvalid("parent", "must be a name of the form portals/{portal} or portals/{portal}/admins/{admin}");
  }
  core::TokenQuery query{.portal = *portal,
                         .type = type,
                         .enabled_only = request.enabled_only(),
                         .search = request.search(),
                         .page_size = page_size,
                         .page_token = request.page_token()};
  if (admin.ok()) query.admin = admin->id();
  return query;
}

absl::StatusOr<core::NoteUpdate> FromProto(const v1::UpdateTokenRequest& request) {
  ASSIGN_OR_RETURN(TokenName name, TokenName::Parse(request.token().name(), "token.name"));
  return core::NoteUpdate{.name = std::move(name),
                          .note = request.token().note(),
                          .update_mask = {request.update_mask().paths().begin(), request.update_mask().paths().end()}};
}

absl::StatusOr<ToggleRequest> FromProto(const v1::ToggleTokenRequest& request) {
  ASSIGN_OR_RETURN(TokenName name, TokenName::Parse(request.name(), "name"));
  ASSIGN_OR_RETURN(const auto status, FromProto(request.status(), "status"));
  if (!status.has_value()) return FieldInvalid("status", "must say the wanted one: DISABLED or ENABLED");
  return ToggleRequest{.name = std::move(name), .status = *status};
}

absl::StatusOr<core::TokenRotation> FromProto(const v1::RotateTokenRequest& request) {
  ASSIGN_OR_RETURN(TokenName name, TokenName::Parse(request.name(), "name"));
  return core::TokenRotation{.name = std::move(name), .request_id = request.request_id()};
}

void ToProto(core::Token token, v1::Token& out) {
  portal::LmToken& lm = token.lm;
  out.set_name(token.name.ToString());
  out.set_type(ToProto(lm.type));
  SetText(std::move(lm.note), *out.mutable_note());
  out.set_status(ToProto(lm.status));
  SetText(std::move(lm.access_id), *out.mutable_access_id());
  SetText(std::move(lm.masked_secret), *out.mutable_masked_secret());
  SetText(std::move(lm.admin_name), *out.mutable_admin_name());
  for (std::string& role : lm.roles) SetText(std::move(role), *out.add_roles());
  SetText(std::move(lm.created_by), *out.mutable_created_by());
  if (lm.created_on.has_value()) ToProto(*lm.created_on, *out.mutable_created_on());
  if (lm.last_used_on.has_value()) ToProto(*lm.last_used_on, *out.mutable_last_used_on());
  SetText(std::move(lm.last_auth_ip), *out.mutable_last_auth_ip());
  out.set_custody(ToProto(token.holder));
  if (token.credential.has_value()) out.set_credential(token.credential->ToString());
  if (token.expire_time.has_value()) ToProto(*token.expire_time, *out.mutable_expire_time());
}

void ToProto(core::CreatedToken created, v1::CreateTokenResponse& out) {
  if (created.handed_over.has_value()) {
    v1::HandedOverSecret& secret = *out.mutable_handed_over_secret();
    secret.set_access_id(created.token.lm.access_id);
    // The one place where a key becomes an ordinary string: hand-over, by grant (law 1).
    const std::string_view value = created.handed_over->Reveal();
    if (created.token.lm.type == TokenType::kBearer) {
      secret.set_bearer(value.data(), value.size());
    } else {
      secret.set_access_key(value.data(), value.size());
    }
  }
  ToProto(std::move(created.token), *out.mutable_token());
}

void ToProto(core::RotatedToken rotated, v1::RotateTokenResponse& out) {
  out.set_retiring(rotated.retiring.ToString());
  ToProto(std::move(rotated.token), *out.mutable_token());
}

void ToProto(core::TokenPage page, v1::ListTokensResponse& out) {
  for (core::Token& token : page.tokens) ToProto(std::move(token), *out.add_tokens());
  out.set_next_page_token(std::move(page.next_page_token));
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
  out.set_total_size(static_cast<std::int32_t>(std::min(page.total, kMost)));
}

}  // namespace lmbroker::rpc
