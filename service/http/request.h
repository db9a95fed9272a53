#pragma once

// The one canonical request (law 3): made once from what the caller said, then used by policy, signer, audit and
// HTTP client alike. Whoever holds one knows that its form is good; it says nothing about permission.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "service/http/headers.h"
#include "service/http/method.h"
#include "service/http/path.h"
#include "service/http/query.h"

namespace lmbroker::http {

// LM's two API bases (logicmonitor-api, section 1.1).
enum class Api {
  kManagement,  // "/santaba/rest", versioned by X-Version
  kIngest,      // "/rest"
};

// "/santaba/rest" or "/rest".
std::string_view BasePath(Api api);

// What a caller says, unchecked. Field names in refusals are those of lmbroker.v1.ForwardRequest.
struct RequestParts {
  Api api = Api::kManagement;
  std::string method;
  std::string path;  // decoded and literal, without base and query
  std::vector<NameValue> query;
  std::vector<NameValue> headers;
  std::string body;
  int api_version = 0;  // 0: unset
};

struct RequestLimits {
  std::size_t body = 8 << 20;  // as sent, and again when inflated for the signature
};

class CanonicalRequest {
 public:
  // PATH_NOT_PLAIN, HEADER_NOT_ALLOWED, FIELD_INVALID or BODY_TOO_LARGE, naming the field and the limit.
  static absl::StatusOr<CanonicalRequest> Make(RequestParts parts, const RequestLimits& limits);

  Api api() const { return api_; }
  Method method() const { return method_; }
  const CanonicalPath& path() const { return path_; }
  const CanonicalQuery& query() const { return query_; }
  const RequestHeaders& headers() const { return headers_; }
  // The bytes on the wire.
  const std::string& body() const { return body_; }
  // The bytes that LMv1 signs: the body before its Content-Encoding (logicmonitor-api, section 2.3).
  std::string_view signed_body() const { return inflated_.has_value() ? *inflated_ : body_; }
  // The X-Version header, absent on ingest unless the caller set one.
  std::optional<int> api_version() const { return api_version_; }
  // The request target on the wire: base, encoded path, and query.
  std::string Target() const;

 private:
  CanonicalRequest() = default;

  Api api_ = Api::kManagement;
  Method method_ = Method::kGet;
  CanonicalPath path_;
  CanonicalQuery query_;
  RequestHeaders headers_;
  std::string body_;
  std::optional<std::string> inflated_;
  std::optional<int> api_version_;
};

}  // namespace lmbroker::http
