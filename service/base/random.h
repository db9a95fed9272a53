#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

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

// A random UUID (RFC 9562, version 4) in lower-case text, 36 characters.
std::string RandomUuid(Random& random);

// Whether `text` is a UUID in its 36-character text form, in either case.
bool IsUuid(std::string_view text);

}  // namespace lmbroker
