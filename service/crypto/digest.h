#pragma once

#include <array>
#include <string>
#include <string_view>

namespace lmbroker::crypto {

// 32 bytes, the output of SHA-256 (FIPS 180-4) and of HMAC-SHA256.
using Digest = std::array<char, 32>;

inline std::string_view Bytes(const Digest& digest) { return {digest.data(), digest.size()}; }

Digest Sha256(std::string_view bytes);

// In lower-case hex, as audit records and the policy digest show it.
std::string Sha256Hex(std::string_view bytes);

}  // namespace lmbroker::crypto
