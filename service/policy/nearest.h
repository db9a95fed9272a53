#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "service/policy/decision.h"

namespace lmbroker::policy {

// The conditions of a grant that a question fails, as bits; the lowest is the one that tells most.
using Failures = unsigned;

struct Miss {
  NearMiss near;
  Failures failures = 0;
};

// The five with the fewest failures; among equals the order of the file.
std::vector<NearMiss> MostSimilar(std::vector<Miss> misses);

// How many of several values a message names.
inline constexpr std::size_t kMostListed = 5;

// "GET, POST", at most kMostListed of them, then "…".
template <class Values, class Text>
std::string ListOf(const Values& values, Text text) {
  std::vector<std::string> words;
  for (const auto& value : values) {
    if (words.size() == kMostListed) {
      words.emplace_back("…");
      break;
    }
    words.emplace_back(text(value));
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace lmbroker::policy
