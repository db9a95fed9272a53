#pragma once

// Headers by allow-list, in both directions (contract, section 2). What is not listed does not pass, so hop-by-hop
// headers, cookies, framing and credentials need no rules of their own.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace lmbroker::http {

struct NameValue {
  std::string name;
  std::string value;
  bool operator==(const NameValue&) const = default;
};

// The headers of a caller's request that go to the portal: allowed names in their canonical spelling, each at most
// once, in the caller's order, with values of visible ASCII and inner blanks. A value.
class RequestHeaders {
 public:
  RequestHeaders() = default;

  // HEADER_NOT_ALLOWED for a name outside the list; FIELD_INVALID for a bad value, a repeated header or too many.
  static absl::StatusOr<RequestHeaders> Make(std::vector<NameValue> headers);

  const std::vector<NameValue>& all() const { return headers_; }
  // The value of a header by its canonical name, e.g. "Content-Encoding".
  std::optional<std::string_view> Find(std::string_view name) const;

 private:
  std::vector<NameValue> headers_;
};

// Those of a portal's reply headers that callers may see, listed names in canonical spelling. Values that are not
// visible ASCII are left out: they are of no use to a caller and could not be a protobuf string.
std::vector<NameValue> PassedReplyHeaders(const std::vector<NameValue>& received);

}  // namespace lmbroker::http
