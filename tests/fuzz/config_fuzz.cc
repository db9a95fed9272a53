// A configuration file is taken whole or not at all: a Config exists, or every problem does, in words that can be
// printed. None can be taken here, for the files that one must name do not exist.

#include "service/app/config.h"
#include "service/base/issues.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {

LMBROKER_FUZZ_TARGET(input) {
  Issues issues("lmbrokerd.yaml");
  const auto config = app::ReadConfig(input, "/nonexistent/lmbrokerd.yaml", issues);
  Require(!config.has_value() && !issues.empty(), "what is not there is a problem");
  for (const Issue& issue : issues.all()) {
    Require(issue.problem.size() < 4000, "a problem is short");
    for (const char c : issue.problem) Require(c >= ' ' || c < 0, "a problem can be printed");
  }
}

}  // namespace lmbroker::fuzz
