#pragma once

#include <memory>
#include <set>

#include "lmbroker/config/v1/policy.pb.h"
#include "service/base/issues.h"
#include "service/base/names.h"
#include "service/policy/model.h"

namespace lmbroker::policy {

// Runs the tests that travel with the rules: each `expect` of `file` against the engine over `policy`, which was made
// of it. Adds an issue for each that fails or cannot be asked.
void CheckExpectations(const config::v1::Policy& file, const std::shared_ptr<const Policy>& policy,
                       const std::set<PortalName>& portals, Issues& issues);

}  // namespace lmbroker::policy
