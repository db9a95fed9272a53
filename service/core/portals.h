#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/base/names.h"

namespace lmbroker::core {

// The portals of the configuration file, each with the credential that manages its tokens. Immutable.
class Portals {
 public:
  explicit Portals(std::map<PortalName, std::optional<CredentialName>> masters) : masters_(std::move(masters)) {}

  // UNKNOWN_PORTAL.
  absl::Status Check(const PortalName& portal) const;
  // UNKNOWN_PORTAL, or NO_MASTER when the configuration names none.
  absl::StatusOr<CredentialName> Master(const PortalName& portal) const;

  const std::map<PortalName, std::optional<CredentialName>>& all() const { return masters_; }

 private:
  std::map<PortalName, std::optional<CredentialName>> masters_;
};

}  // namespace lmbroker::core
