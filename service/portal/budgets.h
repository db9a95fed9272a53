#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <absl/status/statusor.h>

#include "service/base/names.h"
#include "service/portal/budget_table.h"

namespace lmbroker::portal {

// The rate limits of all portals. A request takes a permit before it is signed and sent, and says through the permit
// what came of it. Safe for concurrent use. Whoever waits must have ended before this does.
class Budgets {
 public:
  // `portals` are all that there are, each with what an operator says of its limits.
  Budgets(const BudgetTable::Parts& parts, std::map<PortalName, std::vector<ConfiguredBudget>> portals,
          const BudgetBounds& bounds = {});

  // As BudgetTable::Acquire; also INTERNAL for a portal that is not one of ours.
  std::optional<absl::StatusOr<Permit>> Acquire(const BudgetClaim& claim, BudgetTable::Done done);

  // By API, pattern and method.
  std::vector<BudgetState> Of(const PortalName& portal) const;

 private:
  std::map<PortalName, std::shared_ptr<BudgetTable>> tables_;  // not changed once made
};

}  // namespace lmbroker::portal
