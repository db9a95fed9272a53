#include "service/core/portals.h"

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"

namespace lmbroker::core {

absl::Status Portals::Check(const PortalName& portal) const {
  if (masters_.contains(portal)) return absl::OkStatus();
  return Refuse(Reason::kUnknownPortal,
                fmt::format("The broker's configuration has no portal {}; an operator can add it.", portal.ToString()));
}

absl::StatusOr<CredentialName> Portals::Master(const PortalName& portal) const {
  RETURN_IF_ERROR(Check(portal));
  const auto& master = masters_.at(portal);
  if (master.has_value()) return *master;
  return Refuse(Reason::kNoMaster, fmt::format("The broker's configuration names no `master` credential for {}; an "
                                               "operator can add it.",
                                               portal.ToString()));
}

}  // namespace lmbroker::core
