#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "service/http/path.h"
#include "service/policy/match.h"

namespace lmbroker::policy {

// A path that stands for all those that match the same patterns and no other, and are as much of users and roles
// (IsAccountWrite) as it is. What is judged of it by its patterns is judged of all of them.
struct PathCell {
  http::CanonicalPath path;
  std::vector<std::size_t> matching;  // positions of the patterns that match it, ascending
};

// A path for every such class of which some pattern matches the paths, but for secret endpoints. `patterns` are all
// different. Nothing when they overlap in more ways than can be looked at.
std::optional<std::vector<PathCell>> PathCellsOf(const std::vector<const PathPattern*>& patterns);

}  // namespace lmbroker::policy
