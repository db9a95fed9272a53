#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include <absl/time/time.h>

#include "service/portal/budget.h"
#include "service/portal/endpoint.h"
#include "service/portal/fair_queue.h"

namespace lmbroker::portal {

// What an operator says of one rate limit: it stands in until the portal says its own, and whatever the portal says, no
// less is counted with.
struct ConfiguredBudget {
  http::Api api = http::Api::kManagement;
  http::Method method = http::Method::kGet;
  std::string pattern;  // "/device/devices/{id}"
  int limit = 1;
  absl::Duration window = absl::Minutes(1);

  Endpoint endpoint() const { return {.api = api, .method = method, .path = pattern}; }
};

struct BudgetWaiter;

// One rate limit of a portal, and who waits for it.
struct BudgetRow {
  http::Api api;
  http::Method method;
  std::string pattern;
  Budget budget;
  FairQueue<std::shared_ptr<BudgetWaiter>> queue;

  Endpoint endpoint() const { return {.api = api, .method = method, .path = pattern}; }
};

// The rate limits of one portal, by endpoint. Paths come from callers, so the rows are bounded: the one that was used
// longest ago makes room. A row in use (somebody waits, or a request is under way) stays where it is; should all be in
// use there are more rows for a while, as many as calls. Not thread-safe.
class BudgetRows {
 public:
  BudgetRows(std::vector<ConfiguredBudget> configured, std::size_t most_rows)
      : configured_(std::move(configured)), most_rows_(most_rows) {}

  // Allocates only at the first sight of an endpoint.
  BudgetRow& Find(const Endpoint& endpoint);

  // The one used last comes first.
  const std::list<BudgetRow>& all() const { return rows_; }
  std::list<BudgetRow>& all() { return rows_; }

 private:
  using Position = std::list<BudgetRow>::iterator;
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the library's name
    std::size_t operator()(const Endpoint& endpoint) const { return endpoint.Hash(); }
    std::size_t operator()(const Position& row) const { return row->endpoint().Hash(); }
  };
  struct Same {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the library's name
    bool operator()(const Position& a, const Position& b) const { return a == b; }
    bool operator()(const Endpoint& a, const Position& b) const { return a.IsSame(b->endpoint()); }
    bool operator()(const Position& a, const Endpoint& b) const { return b.IsSame(a->endpoint()); }
  };

  Budget::Options OptionsOf(const Endpoint& endpoint) const;
  void MakeRoom();

  const std::vector<ConfiguredBudget> configured_;
  const std::size_t most_rows_;
  std::list<BudgetRow> rows_;
  std::unordered_set<Position, Hash, Same> index_;
};

}  // namespace lmbroker::portal
