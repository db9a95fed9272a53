#pragma once

// Resource names as values (contract, section 1; AIP-122). Parsed once at the edge; below it nobody splits strings.
// {portal} and {credential}: [a-z]([a-z0-9-]{0,61}[a-z0-9])?. Ids: decimal, 1…2147483647, no leading zero, no sign.

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace lmbroker {

// One LM account: `portals/acme`.
class PortalName {
 public:
  // `field` names the request field in the refusal (FIELD_INVALID).
  static absl::StatusOr<PortalName> Parse(std::string_view name, std::string_view field);
  // From the bare id, e.g. a configuration key.
  static absl::StatusOr<PortalName> FromId(std::string_view id, std::string_view field);

  const std::string& id() const { return id_; }
  std::string ToString() const;  // "portals/acme"
  auto operator<=>(const PortalName&) const = default;

 private:
  explicit PortalName(std::string_view id) : id_(id) {}
  std::string id_;
};

// An LM user by LM's integer id: `portals/acme/admins/32`.
class AdminName {
 public:
  AdminName(PortalName portal, std::int32_t id) : portal_(std::move(portal)), id_(id) {}
  static absl::StatusOr<AdminName> Parse(std::string_view name, std::string_view field);

  const PortalName& portal() const { return portal_; }
  std::int32_t id() const { return id_; }
  std::string ToString() const;
  auto operator<=>(const AdminName&) const = default;

 private:
  PortalName portal_;
  std::int32_t id_;
};

// An LM API token: `portals/acme/admins/32/tokens/41`.
class TokenName {
 public:
  TokenName(AdminName admin, std::int32_t id) : admin_(std::move(admin)), id_(id) {}
  static absl::StatusOr<TokenName> Parse(std::string_view name, std::string_view field);

  const AdminName& admin() const { return admin_; }
  const PortalName& portal() const { return admin_.portal(); }
  std::int32_t id() const { return id_; }
  std::string ToString() const;
  auto operator<=>(const TokenName&) const = default;

 private:
  AdminName admin_;
  std::int32_t id_;
};

// The broker's handle on one secret: `portals/acme/credentials/inventory-reader`.
class CredentialName {
 public:
  static absl::StatusOr<CredentialName> Parse(std::string_view name, std::string_view field);
  static absl::StatusOr<CredentialName> FromId(PortalName portal, std::string_view id, std::string_view field);

  const PortalName& portal() const { return portal_; }
  const std::string& id() const { return id_; }
  std::string ToString() const;
  auto operator<=>(const CredentialName&) const = default;

 private:
  CredentialName(PortalName portal, std::string_view id) : portal_(std::move(portal)), id_(id) {}
  PortalName portal_;
  std::string id_;
};

}  // namespace lmbroker
