#include "service/core/token_lookup.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/audit/call_audit.h"
#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/portal/token_requests.h"

namespace lmbroker::core {
namespace {

constexpr std::size_t kMostNoteBytes = 1024;

// The types whose lists may have the token.
absl::StatusOr<std::vector<TokenType>> TypesOf(store::Store& store, const TokenName& name) {
  const absl::StatusOr<store::TokenRecord> record = store.GetToken(name);
  if (record.ok()) return std::vector{record->type};
  if (!IsRefusal(record.status(), Reason::kUnknownToken)) return record.status();
  return std::vector{TokenType::kLmv1, TokenType::kBearer};
}

}  // namespace

absl::Status CheckNote(std::string_view note, std::string_view field) {
  if (note.size() > kMostNoteBytes) return FieldInvalid(field, fmt::format("has more than {} bytes", kMostNoteBytes));
  if (!IsUtf8(note)) return FieldInvalid(field, "is not UTF-8");
  if (HasControl(note)) return FieldInvalid(field, "has a control character");
  return absl::OkStatus();
}

TokenName NameOf(const PortalName& portal, const portal::LmToken& token) {
  return {AdminName(portal, token.admin_id), token.id};
}

absl::Status UnknownToken(const TokenName& name) {
  return Refuse(Reason::kUnknownToken,
                fmt::format("The portal has no token {}; list the tokens that there are.", name.ToString()));
}

absl::StatusOr<std::optional<portal::LmToken>> FindToken(PortalSession& session, store::Store& store,
                                                         const TokenName& name) {
  ASSIGN_OR_RETURN(const std::vector<TokenType> types, TypesOf(store, name));
  const std::int32_t admin = name.admin().id();
  for (const TokenType type : types) {
    ASSIGN_OR_RETURN(http::CanonicalRequest request,
                     portal::ListTokens({.admin = admin, .type = type, .only_id = name.id()}));
    absl::StatusOr<http::Response> reply =
        session.Send(std::move(request), portal::Effect::kRepeatable, Reason::kUnknownAdmin);
    if (IsRefusal(reply.status(), Reason::kUnknownAdmin)) return std::nullopt;
    RETURN_IF_ERROR(reply.status());
    ASSIGN_OR_RETURN(portal::LmTokenPage page, portal::ParseTokenPage(*std::move(reply), type, admin));
    const auto found = std::find_if(page.tokens.begin(), page.tokens.end(), [&](const portal::LmToken& token) {
      return token.id == name.id() && token.admin_id == admin;
    });
    if (found != page.tokens.end()) return std::optional(std::move(*found));
  }
  return std::nullopt;
}

absl::StatusOr<FoundToken> FindForCaller(const PortalSession::Parts& parts, store::Store& store, Custody& custody,
                                         CallContext& context, policy::Verb verb, const TokenName& name,
                                         const http::CanonicalRequest& main) {
  context.audit.fields().resource = name.ToString();
  policy::TokenQuestion question{.verb = verb, .portal = name.portal(), .admin = name.admin().id()};
  const auto engine = parts.policy.Get();
  ASSIGN_OR_RETURN(policy::TokenGrant grant, parts.policy.Authorize(*engine, context.caller, question));
  ASSIGN_OR_RETURN(PortalSession session, PortalSession::Begin(parts, context, grant, main));
  ASSIGN_OR_RETURN(std::optional<portal::LmToken> token, FindToken(session, store, name));
  if (token.has_value()) {
    question.type = token->type;  // only now known
    RETURN_IF_ERROR(parts.policy.Authorize(*engine, context.caller, question).status());
    custody.LearnTokenStatus(name.portal(), {&*token, 1});
  } else if (verb != policy::Verb::kDelete) {
    for (const TokenType type : {TokenType::kLmv1, TokenType::kBearer}) {
      question.type = type;
      RETURN_IF_ERROR(engine->Authorize(context.caller, question).status());
    }
  }
  return FoundToken{.grant = std::move(grant), .session = std::move(session), .token = std::move(token)};
}

Token WithRecord(const PortalName& portal, portal::LmToken token, const store::TokenRecord* record) {
  Token view{.name = NameOf(portal, token), .lm = std::move(token)};
  if (record == nullptr) return view;
  const bool here = record->custody == store::TokenCustody::kBroker;
  view.holder = here ? TokenHolder::kBroker : TokenHolder::kHandedOver;
  view.credential = record->credential;
  view.expire_time = record->expire_time;
  return view;
}

absl::StatusOr<Token> WithCustody(store::Store& store, const PortalName& portal, portal::LmToken token) {
  const absl::StatusOr<store::TokenRecord> record = store.GetToken(NameOf(portal, token));
  if (!record.ok() && !IsRefusal(record.status(), Reason::kUnknownToken)) return record.status();
  return WithRecord(portal, std::move(token), record.ok() ? &*record : nullptr);
}

}  // namespace lmbroker::core
