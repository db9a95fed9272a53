#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace lmbroker::crypto {

// 32 bytes, the output of SHA-256 (FIPS 180-4) and of HMAC-SHA256.
using Digest = std::array<char, 32>;

inline std::string_view Bytes(const Digest& digest) { return {digest.data(), digest.size()}; }

Digest Sha256(std::string_view bytes);

// The same over bytes that come in pieces. A copy goes on from where the original is. Not synchronised.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream& other);
  Sha256Stream& operator=(const Sha256Stream& other);

  void Add(std::string_view bytes);
  // Of everything added; begins again with nothing.
  Digest Take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// In lower-case hex, as audit records and the policy digest show it.
std::string Sha256Hex(std::string_view bytes);

}  // namespace lmbroker::crypto
