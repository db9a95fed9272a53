#include "service/portal/budget_rows.h"

#include <iterator>
#include <string_view>

#include "service/portal/rate_limit.h"

namespace lmbroker::portal {
namespace {

// The endpoints of the token requests (token_requests.h), where disabling, deleting, rotating and probing happen: there
// a part is kept for these.
bool IsAdministered(const Endpoint& endpoint) {
  constexpr std::string_view kTokens = "/apitokens";
  if (endpoint.api != http::Api::kManagement) return false;
  if (endpoint.path.starts_with("/setting/") && endpoint.path.find(kTokens) != std::string_view::npos) return true;
  return endpoint.method == http::Method::kGet && endpoint.path == "/device/devices";
}

}  // namespace

Budget::Options BudgetRows::OptionsOf(const Endpoint& endpoint) const {
  Budget::Options options{.limit = DefaultLimit(endpoint.method), .reserve = IsAdministered(endpoint)};
  for (const ConfiguredBudget& configured : configured_) {
    if (!endpoint.IsSame(configured.endpoint())) continue;
    options.limit = configured.limit;
    options.least_limit = configured.limit;
    options.window = configured.window;
  }
  return options;
}

BudgetRow& BudgetRows::Find(const Endpoint& endpoint) {
  if (const auto found = index_.find(endpoint); found != index_.end()) {
    rows_.splice(rows_.begin(), rows_, *found);
    return rows_.front();
  }
  if (rows_.size() >= most_rows_) MakeRoom();
  rows_.push_front({.api = endpoint.api,
                    .method = endpoint.method,
                    .pattern = EndpointPattern(endpoint.path),
                    .budget = Budget(OptionsOf(endpoint)),
                    .queue = {}});
  index_.insert(rows_.begin());
  return rows_.front();
}

void BudgetRows::MakeRoom() {
  for (auto row = rows_.end(); row != rows_.begin();) {
    --row;
    if (!row->queue.empty() || row->budget.in_flight() > 0) continue;
    index_.erase(row);
    rows_.erase(row);
    return;
  }
}

}  // namespace lmbroker::portal
