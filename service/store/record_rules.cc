#include "service/store/record_rules.h"

#include <string_view>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"

namespace lmbroker::store {
namespace {

absl::Status Require(bool holds, std::string_view rule) {
  if (holds) return absl::OkStatus();
  return Refuse(Reason::kInternal, fmt::format("The broker gave its store a record that breaks a rule: {}.", rule));
}

}  // namespace

absl::Status CheckCredential(const CredentialRecord& record) {
  RETURN_IF_ERROR(Require(!record.token.has_value() || record.token->portal() == record.name.portal(),
                          "a credential's token is of its own portal"));
  return Require(record.version > 0, "versions count from 1");
}

absl::Status CheckIntent(const CreateIntent& intent) {
  RETURN_IF_ERROR(Require(!intent.marker.empty(), "a create has a marker"));
  RETURN_IF_ERROR(Require(intent.phase == CreatePhase::kIntended && !intent.token.has_value(),
                          "a create begins as an intent, without a token"));
  if (!intent.credential.has_value()) return absl::OkStatus();
  RETURN_IF_ERROR(Require(!intent.hand_over, "what is handed over has no credential"));
  return Require(intent.credential->portal() == intent.admin.portal(), "a create stays in one portal");
}

absl::Status CheckMostTokens(const CreateIntent& intent, std::int64_t tokens, int most_tokens) {
  if (tokens < most_tokens) return absl::OkStatus();
  return Refuse(Reason::kTooManyTokens,
                fmt::format("The caller {} has {} tokens, those included that are just being created, and its policy "
                            "allows it {} (max_tokens); delete one that is no longer used.",
                            intent.caller, tokens, most_tokens));
}

absl::Status CheckCommit(const CreateIntent& intent, const TokenRecord& token,
                         const std::optional<CredentialRecord>& credential) {
  RETURN_IF_ERROR(Require(intent.phase == CreatePhase::kIntended, "a create is committed once"));
  RETURN_IF_ERROR(Require(token.name.admin() == intent.admin, "a token is created for the admin of its intent"));
  const TokenCustody custody = intent.hand_over ? TokenCustody::kHandedOver : TokenCustody::kBroker;
  RETURN_IF_ERROR(Require(token.custody == custody && credential.has_value() == !intent.hand_over,
                          "a new token has a credential unless it is handed over"));
  if (!credential.has_value()) return Require(!token.credential.has_value(), "what is handed over has no credential");
  RETURN_IF_ERROR(Require(token.credential == credential->name && credential->token == token.name,
                          "a new token and its credential name each other"));
  return CheckCredential(*credential);
}

LeaseRecord LeaseOf(const TokenRecord& token) {
  const absl::Time end = token.expire_time.value_or(absl::InfiniteFuture());
  return {.token = token.name, .expire_time = end, .next_time = end};
}

absl::Status NoLease(const TokenName& token) {
  return Refuse(Reason::kUnknownToken,
                fmt::format("The broker has no lease of {}; list those that there are.", token.ToString()));
}

absl::Status CheckEnd(CreatePhase phase) {
  return Require(phase == CreatePhase::kFinished || phase == CreatePhase::kAbandoned,
                 "a create ends finished or abandoned");
}

absl::Status CheckRotation(const Rotation& rotation) {
  RETURN_IF_ERROR(Require(!rotation.marker.empty(), "a rotation has a marker"));
  RETURN_IF_ERROR(Require(rotation.phase == RotationPhase::kIntended && !rotation.token.has_value() &&
                              !rotation.still_since.has_value() && !rotation.last_used_on.has_value(),
                          "a rotation begins as an intent, without a token"));
  RETURN_IF_ERROR(Require(rotation.version > 1, "a rotation is not the first secret"));
  return Require(rotation.retiring.portal() == rotation.credential.portal(), "a rotation stays in one portal");
}

absl::Status CheckRotated(const Rotation& rotation, const CredentialRecord& credential) {
  return Require(credential.token == rotation.retiring && credential.version == rotation.version - 1,
                 "a rotation replaces the token and version that the credential has");
}

absl::Status CheckStored(const Rotation& rotation, const TokenRecord& token, const SealedValue& secret) {
  RETURN_IF_ERROR(Require(rotation.phase == RotationPhase::kIntended, "a rotation is stored once"));
  RETURN_IF_ERROR(Require(token.name.admin() == rotation.retiring.admin() && token.type == rotation.type,
                          "the new token is of the admin and type of the old one"));
  RETURN_IF_ERROR(Require(token.custody == TokenCustody::kBroker && !token.credential.has_value(),
                          "the new token is in custody, and not bound before it is promoted"));
  return Require(secret.name == RotationSecretName(rotation.marker), "the secret of a rotation has its name");
}

absl::Status CheckPromoted(const Rotation& rotation, const CredentialRecord& before,
                           const CredentialRecord& credential) {
  RETURN_IF_ERROR(Require(rotation.phase == RotationPhase::kStored, "what is stored is promoted once"));
  RETURN_IF_ERROR(CheckRotated(rotation, before));
  RETURN_IF_ERROR(Require(credential.name == rotation.credential && credential.token == rotation.token &&
                              credential.version == rotation.version,
                          "the promoted credential has the new token and version"));
  return CheckCredential(credential);
}

bool IsPromoted(const Rotation& rotation) {
  return rotation.phase == RotationPhase::kPromoted || rotation.phase == RotationPhase::kRetiring;
}

TokenRecord RetiringRecord(const Rotation& rotation, const CredentialRecord& before) {
  return {.name = rotation.retiring,
          .type = before.type,
          .custody = TokenCustody::kBroker,
          .credential = std::nullopt,
          .access_id = before.access_id,
          .create_time = before.create_time};
}

absl::Status CheckRetiring(const Rotation& rotation) {
  return Require(IsPromoted(rotation), "a token retires when another is promoted");
}

}  // namespace lmbroker::store
