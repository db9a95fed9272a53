#include "service/core/token_create.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "service/audit/call_audit.h"
#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/core/create_cleanup.h"
#include "service/core/marked_create.h"
#include "service/core/token_lookup.h"
#include "service/policy/ttl.h"
#include "service/portal/token_requests.h"

namespace lmbroker::core {
namespace {

// Of the caller's time, so that some is left to look for the marker when the portal does not answer.
constexpr double kShareForPost = 2.0 / 3;

absl::Status CheckForm(const NewToken& wanted) {
  RETURN_IF_ERROR(CheckNote(wanted.note, "token.note"));
  if (wanted.ttl.has_value()) RETURN_IF_ERROR(policy::CheckTtl(*wanted.ttl, "ttl"));
  if (!wanted.request_id.empty()) {
    return FieldInvalid("request_id", "cannot be set: this version of the broker remembers no requests");
  }
  if (wanted.hand_over && wanted.credential.has_value()) {
    return FieldInvalid("credential_id", "cannot be set with `hand_over`: a secret that is handed over is not kept");
  }
  return absl::OkStatus();
}

absl::Status CheckIsFree(const Custody& custody, const std::optional<CredentialName>& credential) {
  if (!credential.has_value() || !custody.Has(*credential)) return absl::OkStatus();
  return Refuse(Reason::kCredentialExists,
                fmt::format("The broker already has {}; choose another `credential_id`.", credential->ToString()));
}

// The handle for a token whose creator named none. An operator may have imported one of that name before.
absl::StatusOr<CredentialName> DeriveCredential(const Custody& custody, const TokenName& token) {
  const std::string base = fmt::format("token-{}-{}", token.admin().id(), token.id());
  ASSIGN_OR_RETURN(CredentialName name, CredentialName::FromId(token.portal(), base, "credential_id"));
  for (int suffix = 2; suffix < 10 && custody.Has(name); ++suffix) {
    ASSIGN_OR_RETURN(name, CredentialName::FromId(token.portal(), fmt::format("{}-{}", base, suffix), "credential_id"));
  }
  return name;
}

// Step 3: the secret is sealed and on disk, or it is the caller's.
absl::StatusOr<std::optional<Secret>> Keep(const TokenCreate::Parts& parts, const store::CreateIntent& intent,
                                           const TokenName& name, std::optional<absl::Time> expire_time,
                                           portal::LmCreatedToken& created) {
  store::TokenRecord token{.name = name,
                           .type = intent.type,
                           .custody = store::TokenCustody::kHandedOver,
                           .credential = std::nullopt,
                           .access_id = created.token.access_id,
                           .create_time = intent.create_time,
                           .expire_time = expire_time};
  if (intent.hand_over) {
    RETURN_IF_ERROR(parts.store.CommitCreate(intent.marker, token, std::nullopt));
    return std::optional(std::move(created.secret));
  }
  token.custody = store::TokenCustody::kBroker;
  token.credential = intent.credential;
  if (!token.credential.has_value()) {
    ASSIGN_OR_RETURN(token.credential, DeriveCredential(parts.custody, name));
  }
  store::CredentialRecord credential{.name = *token.credential,
                                     .type = intent.type,
                                     .access_id = created.token.access_id,
                                     .token = name,
                                     .create_time = intent.create_time,
                                     .secret = {}};
  RETURN_IF_ERROR(parts.custody.Adopt(intent.marker, token, std::move(credential), std::move(created.secret)));
  parts.custody.LearnTokenStatus(name.portal(), {&created.token, 1});
  return std::nullopt;
}

}  // namespace

absl::StatusOr<CreatedToken> TokenCreate::Create(CallContext& context, NewToken wanted) {
  context.audit.fields().resource = wanted.parent.ToString();
  RETURN_IF_ERROR(CheckForm(wanted));
  const auto engine = parts_.portal.policy.Get();
  ASSIGN_OR_RETURN(const policy::TokenGrant grant,
                   parts_.portal.policy.Authorize(*engine, context.caller,
                                                  policy::TokenQuestion{.verb = policy::Verb::kCreate,
                                                                        .portal = wanted.parent.portal(),
                                                                        .admin = wanted.parent.id(),
                                                                        .type = wanted.type,
                                                                        .ttl = wanted.ttl,
                                                                        .hand_over = wanted.hand_over}));
  RETURN_IF_ERROR(CheckIsFree(parts_.custody, wanted.credential));
  if (!wanted.hand_over) RETURN_IF_ERROR(Custody::CheckRoom());
  const store::CreateIntent intent{.marker = NewMarker(parts_.random),
                                   .admin = wanted.parent,
                                   .type = wanted.type,
                                   .note = std::move(wanted.note),
                                   .status = wanted.status,
                                   .hand_over = wanted.hand_over,
                                   .credential = wanted.credential,
                                   .caller = context.caller.name,
                                   .create_time = parts_.portal.clock.Now()};
  ASSIGN_OR_RETURN(http::CanonicalRequest request,
                   portal::CreateToken(intent.admin.id(), intent.type, intent.marker, TokenStatus::kDisabled));
  ASSIGN_OR_RETURN(PortalSession session, PortalSession::Begin(parts_.portal, context, grant, request));
  std::optional<absl::Time> expire_time;
  if (const std::optional<absl::Duration> ttl = grant.ttl(); ttl.has_value()) expire_time = intent.create_time + *ttl;
  const CreateCleanup cleanup(
      {.clock = parts_.portal.clock, .store = parts_.store, .custody = parts_.custody, .background = parts_.background},
      session, intent, expire_time);

  RETURN_IF_ERROR(parts_.store.BeginCreate(intent, engine->MostTokensOf(context.caller)));

  absl::StatusOr<portal::LmCreatedToken> created =
      PostMarked(session.WithShareOfTime(kShareForPost), std::move(request), intent.admin, intent.type);
  if (!created.ok()) return cleanup.AfterFailedPost(created.status());
  const TokenName name(intent.admin, created->token.id);
  context.audit.fields().resource = name.ToString();

  absl::StatusOr<std::optional<Secret>> handed_over = Keep(parts_, intent, name, expire_time, *created);
  if (!handed_over.ok()) return cleanup.Undo(name, handed_over.status());

  RETURN_IF_ERROR(cleanup.Complete(created->token));
  ASSIGN_OR_RETURN(Token token, WithCustody(parts_.store, name.portal(), std::move(created->token)));
  return CreatedToken{.token = std::move(token), .handed_over = *std::move(handed_over)};
}

}  // namespace lmbroker::core
