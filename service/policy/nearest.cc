#include "service/policy/nearest.h"

#include <algorithm>
#include <utility>

namespace lmbroker::policy {

std::vector<NearMiss> MostSimilar(std::vector<Miss> misses) {
  constexpr std::size_t kMost = 5;
  std::stable_sort(misses.begin(), misses.end(),
                   [](const Miss& a, const Miss& b) { return std::popcount(a.failures) < std::popcount(b.failures); });
  std::vector<NearMiss> nearest;
  for (Miss& miss : misses) {
    if (nearest.size() == kMost) break;
    nearest.push_back(std::move(miss.near));
  }
  return nearest;
}

}  // namespace lmbroker::policy
