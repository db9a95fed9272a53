#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "service/policy/decision.h"
#include "service/policy/model.h"

namespace lmbroker::policy {

// Judges a forward call by a caller's grants, in the order of the file: all of them, or those that ForwardIndex found.
// One grant must cover the whole call: nothing is put together from two. `segments` are those of the question's path.
Decision JudgeForward(const CallerRules& caller, std::span<const ForwardGrant* const> grants,
                      const ForwardQuestion& question, std::span<const std::string_view> segments);

// For a question that JudgeForward refused: the caller's most similar forward grants, and what failed in each.
std::vector<NearMiss> NearestForward(const CallerRules& caller, const ForwardQuestion& question);

}  // namespace lmbroker::policy
