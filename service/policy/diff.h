#pragma once

#include <set>
#include <string>
#include <variant>
#include <vector>

#include <absl/status/statusor.h>

#include "service/base/names.h"
#include "service/policy/decision.h"
#include "service/policy/engine.h"

namespace lmbroker::policy {

// Whatever needs an operator and no grant.
struct OperatorCall {};

// Something that one policy allows and the other refuses.
struct Difference {
  std::string caller;                   // by its name in the policy that allows it
  std::string rule;                     // of that policy
  std::vector<std::string> identities;  // of the caller, to which it applies; empty: all of them
  std::variant<ForwardQuestion, TokenQuestion, OperatorCall> sample;
};

struct PolicyDiff {
  std::vector<Difference> newly_allowed;
  std::vector<Difference> newly_refused;
};

// What `candidate` changes against `present`. Complete: whatever one allows and the other refuses to an identity is
// there with the caller, the rule, and the method or verb. Every sample was judged by both engines. `portals` are those
// of the configuration. FIELD_INVALID on `policy_yaml` when the patterns of a caller overlap in too many ways.
absl::StatusOr<PolicyDiff> DiffPolicies(const Engine& present, const Engine& candidate,
                                        const std::set<PortalName>& portals);

}  // namespace lmbroker::policy
