#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

#include "service/base/mutex.h"
#include "service/base/random.h"

namespace lmbroker {

// The same bytes in every run: a generator with a known seed. Two with different seeds differ. Safe for concurrent use.
class FakeRandom final : public Random {
 public:
  explicit FakeRandom(std::uint32_t seed = 1) : engine_(seed) {}

  void Fill(std::span<std::byte> out) override {
    const MutexLock lock(mutex_);
    for (std::byte& byte : out) byte = static_cast<std::byte>(engine_() & 0xFFU);
  }

 private:
  Mutex mutex_;
  std::mt19937 engine_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker
