#pragma once

#include <span>
#include <vector>

#include "service/policy/decision.h"
#include "service/policy/model.h"

namespace lmbroker::policy {

// Judges a forward call by a caller's grants at the portal of the question, in the order of the file. One grant must
// cover the whole call: nothing is put together from two.
Decision JudgeForward(const CallerRules& caller, std::span<const ForwardGrant* const> grants,
                      const ForwardQuestion& question);

// For a question that JudgeForward refused: the caller's most similar forward grants, and what failed in each.
std::vector<NearMiss> NearestForward(const CallerRules& caller, const ForwardQuestion& question);

}  // namespace lmbroker::policy
