#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "service/http/client.h"
#include "service/http/headers.h"
#include "service/portal/rate_limit.h"

namespace lmbroker::portal {

class BudgetTable;
struct BudgetRow;

// The right to send one request, once. Whoever has one says what became of it; one that dies without a word counts as
// sent, since that is what harms nobody. Move-only; must not outlive its Budgets.
class [[nodiscard]] Permit {
 public:
  Permit(Permit&& other) noexcept
      : table_(std::exchange(other.table_, nullptr)), row_(other.row_), taken_(other.taken_) {}
  Permit& operator=(Permit&& other) noexcept {
    std::swap(table_, other.table_);
    std::swap(row_, other.row_);
    std::swap(taken_, other.taken_);
    return *this;
  }
  ~Permit() { Lost(); }

  // What became of the request: answered, perhaps arrived, or never sent, when its place in the budget is free again.
  // Gives back what the portal's headers say of the rate limit, which the budget has learned then.
  std::optional<RateLimit> End(const http::TransferResult& result);

  // The same, part by part.
  std::optional<RateLimit> Answered(int http_status, const std::vector<http::NameValue>& headers);
  void Lost();
  void Return();

 private:
  friend class BudgetTable;
  Permit(BudgetTable& table, BudgetRow& row, std::int64_t taken) : table_(&table), row_(&row), taken_(taken) {}

  BudgetTable* table_;  // null once it is said what became of it
  BudgetRow* row_;
  std::int64_t taken_;
};

}  // namespace lmbroker::portal
