#pragma once

#include <cstdint>
#include <string>

namespace lmbroker::crypto {

// A secret as it lies on disk: made by Envelope, opaque to everything else. Safe to copy; useless without the key ring.
struct SealedSecret {
  std::string bytes;
  std::uint32_t key_version = 0;  // of the key-encryption key that wraps its data key

  bool operator==(const SealedSecret&) const = default;
};

}  // namespace lmbroker::crypto
