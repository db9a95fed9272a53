#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/identity/public_key.h"

namespace lmbroker::identity {

// The largest key set that is read.
inline constexpr std::size_t kMostKeySetBytes = std::size_t{256} << 10;

// The public keys of an issuer of tokens, by their names.
class KeySet {
 public:
  // Reads a JSON Web Key Set (RFC 7517). Keys for other purposes or algorithms than ours, and those without a name, are
  // passed over, as section 5 asks. INVALID_ARGUMENT, as the end of "The key set …": it is none, a key of ours is
  // malformed, two have one name, or none is left.
  static absl::StatusOr<KeySet> Parse(std::string_view text);

  // Null when there is none of this name.
  const PublicKey* Find(std::string_view key_id) const;
  std::size_t size() const { return keys_.size(); }

 private:
  std::map<std::string, PublicKey, std::less<>> keys_;
};

}  // namespace lmbroker::identity
