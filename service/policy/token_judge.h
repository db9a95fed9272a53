#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/base/token.h"
#include "service/policy/decision.h"
#include "service/policy/model.h"

namespace lmbroker::policy {

// "inventory.operator": the rule by which an operator may do what needs no grant.
std::string OperatorRule(const CallerRules& caller);

// "LMV1" or "BEARER", as policy files write it.
std::string_view TypeWord(TokenType type);

// Judges a token operation by a caller's grants, in the order of the file: all of them, or those that TokenIndex found.
// Then by its being an operator. The first that covers it decides; of a create that whose tokens may live longest,
// which for an operator is its being one.
Decision JudgeTokens(const CallerRules& caller, std::span<const TokensGrant* const> grants,
                     const TokenQuestion& question);

// For a question that JudgeTokens refused: the caller's most similar token grants, and what failed in each.
std::vector<NearMiss> NearestTokens(const CallerRules& caller, const TokenQuestion& question);

}  // namespace lmbroker::policy
