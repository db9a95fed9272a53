#pragma once

// What LM says about its rate limits (logicmonitor-api, section 8): per endpoint pattern and method, for the whole
// account, with the state in three headers of every reply.

#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <absl/time/time.h>

#include "service/base/mutex.h"
#include "service/base/names.h"
#include "service/http/headers.h"
#include "service/http/request.h"

namespace lmbroker::portal {

// Requests per window.
struct RateLimit {
  int limit = 0;
  int remaining = 0;
  absl::Duration window;
};

// From X-Rate-Limit-Limit, -Remaining and -Window; nothing unless all three are there and are whole numbers.
std::optional<RateLimit> ParseRateLimit(const std::vector<http::NameValue>& headers);

// How long to wait after a 429: Retry-After in seconds, else the window, else a minute; 1 s to 5 min.
absl::Duration RetryAfter(const std::vector<http::NameValue>& headers);

// The endpoint that LM counts a path under, as far as it can be told from outside: "/device/devices/7/instances"
// becomes "/device/devices/{id}/instances".
std::string EndpointPattern(const http::CanonicalPath& path);

// The limits last seen. Safe for concurrent use.
class BudgetTable {
 public:
  struct Row {
    http::Api api = http::Api::kManagement;
    std::string pattern;
    http::Method method = http::Method::kGet;
    RateLimit budget;
  };

  // Paths come from callers, so the table is bounded: the row that was learned longest ago makes room.
  explicit BudgetTable(std::size_t most_rows = 4096) : most_rows_(most_rows) {}

  // Takes what a reply to `request` says, and gives it back.
  std::optional<RateLimit> Learn(const PortalName& portal, const http::CanonicalRequest& request,
                                 const std::vector<http::NameValue>& reply_headers);

  // The rows of one portal, ordered by pattern and method.
  std::vector<Row> Of(const PortalName& portal) const;

 private:
  using Key = std::tuple<PortalName, http::Api, std::string, http::Method>;
  struct Known {
    RateLimit budget;
    std::list<Key>::iterator age;
  };

  const std::size_t most_rows_;
  mutable Mutex mutex_;
  std::map<Key, Known> rows_ ABSL_GUARDED_BY(mutex_);
  std::list<Key> oldest_first_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::portal
