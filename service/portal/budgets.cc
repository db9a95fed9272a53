#include "service/portal/budgets.h"

#include <utility>

#include "service/base/error.h"

namespace lmbroker::portal {

Budgets::Budgets(const BudgetTable::Parts& parts, std::map<PortalName, std::vector<ConfiguredBudget>> portals,
                 const BudgetBounds& bounds) {
  for (auto& [portal, configured] : portals) {
    tables_.emplace(portal, std::make_shared<BudgetTable>(parts, portal, std::move(configured), bounds));
  }
}

std::optional<absl::StatusOr<Permit>> Budgets::Acquire(const BudgetClaim& claim, BudgetTable::Done done) {
  const auto table = tables_.find(claim.portal);
  if (table == tables_.end()) return Refuse(Reason::kInternal, "The portal of the call has no budgets.");
  return table->second->Acquire(claim, std::move(done));
}

std::vector<BudgetState> Budgets::Of(const PortalName& portal) const {
  const auto table = tables_.find(portal);
  return table == tables_.end() ? std::vector<BudgetState>{} : table->second->States();
}

}  // namespace lmbroker::portal
