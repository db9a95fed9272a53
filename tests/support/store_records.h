#pragma once

// Records for tests of what stores and uses them: valid, every field filled with something of its own.

#include <cstdint>
#include <optional>
#include <string_view>

#include <absl/time/time.h>
#include <fmt/format.h>

#include "service/store/records.h"

namespace lmbroker {

inline PortalName Portal(std::string_view id) { return *PortalName::FromId(id, "portal"); }

inline CredentialName Credential(std::string_view portal, std::string_view id) {
  return *CredentialName::FromId(Portal(portal), id, "credential");
}

inline TokenName Token(std::string_view portal, std::int32_t admin, std::int32_t id) {
  return {AdminName(Portal(portal), admin), id};
}

inline store::CredentialRecord MakeCredential(const CredentialName& name, std::optional<TokenName> token = {}) {
  return {.name = name,
          .type = TokenType::kBearer,
          .access_id = "aB3dE5fG7hJ9kL2mN4pQ",
          .master = true,
          .status = TokenStatus::kDisabled,
          .state = store::CredentialState::kQuarantined,
          .token = std::move(token),
          .version = 7,
          .create_time = absl::FromUnixMicros(1'700'000'000'000'001),
          .rotate_time = absl::FromUnixMicros(1'700'000'000'000'002),
          .last_use_time = absl::FromUnixMicros(1'700'000'000'000'003),
          .secret = {.bytes = std::string("\x01sealed\0\xff bytes", 15), .key_version = 4294967295U}};
}

inline store::TokenRecord MakeToken(const TokenName& name, std::optional<CredentialName> credential) {
  const bool in_custody = credential.has_value();
  return {.name = name,
          .type = TokenType::kBearer,
          .custody = in_custody ? store::TokenCustody::kBroker : store::TokenCustody::kHandedOver,
          .credential = std::move(credential),
          .access_id = "qP4nM2lK9jH7gF5eD3Ba",
          .create_time = absl::FromUnixMicros(1'700'000'000'000'004)};
}

inline store::TokenRecord MakeLeasedToken(const TokenName& name, std::optional<CredentialName> credential) {
  store::TokenRecord token = MakeToken(name, std::move(credential));
  token.expire_time = absl::FromUnixMicros(1'700'000'000'000'006);
  return token;
}

inline store::CreateIntent MakeIntent(std::string_view marker, const AdminName& admin,
                                      std::optional<CredentialName> credential) {
  return {.marker = std::string(marker),
          .admin = admin,
          .type = TokenType::kBearer,
          .note = "Zoë – 東京 ✓ 'quoted'",
          .status = TokenStatus::kDisabled,
          .hand_over = !credential.has_value(),
          .credential = std::move(credential),
          .caller = "inventory",
          .create_time = absl::FromUnixMicros(1'700'000'000'000'005)};
}

// Of a credential that MakeCredential made with that token.
inline store::Rotation MakeRotation(std::string_view marker, const CredentialName& credential,
                                    const TokenName& retiring, std::int64_t version = 8) {
  return {.marker = std::string(marker),
          .credential = credential,
          .retiring = retiring,
          .type = TokenType::kBearer,
          .note = "Zoë – 東京 ✓ 'quoted'",
          .version = version,
          .caller = "inventory",
          .rule = "inventory.tokens[0]",
          .request_id = "request-1",
          .create_time = absl::FromUnixMicros(1'700'000'000'000'006)};
}

}  // namespace lmbroker
