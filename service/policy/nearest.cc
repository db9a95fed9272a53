#include "service/policy/nearest.h"

#include <bit>
#include <limits>
#include <utility>

namespace lmbroker::policy {

std::vector<NearMiss> MostSimilar(std::vector<Miss> misses) {
  constexpr std::size_t kMost = 5;
  std::vector<NearMiss> nearest;
  for (int failures = 0; failures <= std::numeric_limits<Failures>::digits; ++failures) {
    for (Miss& miss : misses) {
      if (std::popcount(miss.failures) != failures) continue;
      if (nearest.size() == kMost) return nearest;
      nearest.push_back(std::move(miss.near));
    }
  }
  return nearest;
}

}  // namespace lmbroker::policy
