#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lmbroker::ops {

// What a part of the broker says of itself.
struct CheckResult {
  bool ready = true;
  std::string detail;  // what is wrong, or worth knowing though it is ready; for an operator, never a secret
};

struct Check {
  std::string name;  // "audit", "store", "policy", …
  // Safe for concurrent use; quick, since probes wait for it.
  std::function<CheckResult()> run;
};

// The answer to /readyz: ready when every check is.
struct Readiness {
  bool ready = true;
  std::string json;  // {"ready":true,"checks":{"audit":{"ready":true},"store":{"ready":false,"detail":"…"}}}
};

Readiness Judge(const std::vector<Check>& checks);

}  // namespace lmbroker::ops
