#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>

#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/names.h"
#include "service/http/client.h"
#include "service/portal/breaker.h"
#include "service/portal/portal_clock.h"
#include "service/portal/repeat.h"

namespace lmbroker::portal {

// How one portal is doing, as far as calls have shown it. Safe for concurrent use; made once and never moved.
struct PortalHealth {
  PortalHealth(const Clock& c, PortalName p) : portal(std::move(p)), breaker(c, portal), clock(c), repeats(c) {}

  const PortalName portal;
  Breaker breaker;
  PortalClock clock;
  RepeatBudget repeats;
};

// What an attempt that took so long says of its portal. A deadline that the caller set too short says nothing.
Breaker::Verdict VerdictOf(const http::TransferResult& result, absl::Duration took);

// The health of every portal. Safe for concurrent use.
class PortalHealths {
 public:
  // `portals` are all that there are. The clock must outlive this.
  PortalHealths(const Clock& clock, const std::set<PortalName>& portals);

  // Null for a portal that is not one of ours. Lives as long as this does.
  PortalHealth* Of(const PortalName& portal) const;

 private:
  std::map<PortalName, std::unique_ptr<PortalHealth>> healths_;  // not changed once made
};

}  // namespace lmbroker::portal
