#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "service/base/mutex.h"

namespace lmbroker {

// A cryptographic source of random bytes, as a parameter. Safe for concurrent use.
class Random {
 public:
  virtual ~Random() = default;
  // Fills `out`. Ends the process when the source fails: nothing safe can follow.
  virtual void Fill(std::span<std::byte> out) = 0;
};

// OpenSSL's generator.
class SystemRandom final : public Random {
 public:
  void Fill(std::span<std::byte> out) override;
};

// Draws from another source in larger pieces, which is cheaper (OpenSSL's makes a system call each time). For names,
// not for keys: what was drawn ahead lies in ordinary memory.
class BufferedRandom final : public Random {
 public:
  explicit BufferedRandom(Random& source) : source_(source) {}
  void Fill(std::span<std::byte> out) override;

 private:
  static constexpr std::size_t kAhead = 1024;

  Random& source_;
  Mutex mutex_;
  std::array<std::byte, kAhead> bytes_ ABSL_GUARDED_BY(mutex_){};
  std::size_t used_ ABSL_GUARDED_BY(mutex_) = kAhead;
};

// A random UUID (RFC 9562, version 4) in lower-case text, 36 characters.
std::string RandomUuid(Random& random);

// Whether `text` is a UUID in its 36-character text form, in either case.
bool IsUuid(std::string_view text);

}  // namespace lmbroker
