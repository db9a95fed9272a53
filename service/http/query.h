#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "service/http/headers.h"

namespace lmbroker::http {

// A query string with one encoding: the caller's decoded pairs in their order. A value; default-constructed it is
// empty.
class CanonicalQuery {
 public:
  CanonicalQuery() = default;

  // FIELD_INVALID, naming the pair. A pair named `v` is refused: LM would take it for the API version.
  static absl::StatusOr<CanonicalQuery> Make(std::vector<NameValue> pairs);

  const std::vector<NameValue>& pairs() const { return pairs_; }
  // "size=50&filter=name%3Aweb", without a question mark; empty when there is no pair.
  const std::string& encoded() const { return encoded_; }

 private:
  std::vector<NameValue> pairs_;
  std::string encoded_;
};

}  // namespace lmbroker::http
