#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "service/base/random.h"
#include "service/crypto/aead.h"

namespace lmbroker::core {

// Page tokens (AIP-158) that nobody but this process can make, read or use for another query: sealed under a key that
// lives as long as the process. Safe for concurrent use.
class PageTokens {
 public:
  explicit PageTokens(Random& random) : aead_(crypto::Aead::NewKey(random), random) {}

  // `position` says where the next page starts. `query` is all that must be the same when it is asked for, the caller's
  // identity among it.
  std::string Seal(std::string_view position, const std::vector<std::string>& query) const;

  // The position. FIELD_INVALID on `page_token` unless Seal made it here for this query.
  absl::StatusOr<std::string> Open(std::string_view token, const std::vector<std::string>& query) const;

 private:
  crypto::Aead aead_;
};

}  // namespace lmbroker::core
