#pragma once

#include <memory>
#include <set>
#include <string_view>

#include "service/base/issues.h"
#include "service/base/names.h"
#include "service/policy/model.h"

namespace lmbroker::policy {

// Makes a policy of a policy file (contract, section 4), or nothing, and then `issues` has every problem with its line.
// A file whose own expectations fail is a problem, too. `portals` are those of the configuration: a rule for any other
// is a mistake. Empty text is a good policy that refuses everyone.
std::shared_ptr<const Policy> ParsePolicy(std::string_view yaml, const std::set<PortalName>& portals, Issues& issues);

}  // namespace lmbroker::policy
