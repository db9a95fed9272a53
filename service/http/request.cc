#include "service/http/request.h"

#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/status_macros.h"
#include "service/http/inflate.h"

namespace lmbroker::http {
namespace {

constexpr int kDefaultVersion = 3;

absl::Status CheckBody(Method method, const std::string& body, std::size_t most_bytes) {
  if (method == Method::kGet && !body.empty()) return FieldInvalid("body", "must be empty with GET");
  if (body.size() > most_bytes) {
    return Refuse(Reason::kBodyTooLarge, fmt::format("The body has more than {} bytes; send it in parts.", most_bytes),
                  {.metadata = {{"limit", fmt::format("{}", most_bytes)}}, .field = "body"});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<int>> CheckVersion(Api api, int version) {
  switch (api) {
    case Api::kManagement:
      if (version == 0) return kDefaultVersion;
      if (version < 2 || version > 4) return FieldInvalid("api_version", "must be 2, 3 or 4");
      return version;
    case Api::kIngest:
      if (version == 0) return std::nullopt;
      if (version < 1 || version > 4) return FieldInvalid("api_version", "must be 1 to 4, or unset");
      return version;
  }
  return FieldInvalid("api", "is not known");
}

}  // namespace

std::string_view BasePath(Api api) { return api == Api::kManagement ? "/santaba/rest" : "/rest"; }

absl::StatusOr<CanonicalRequest> CanonicalRequest::Make(RequestParts parts, const RequestLimits& limits) {
  CanonicalRequest request;
  request.api_ = parts.api;
  ASSIGN_OR_RETURN(request.method_, ParseMethod(parts.method));
  ASSIGN_OR_RETURN(request.path_, CanonicalPath::Parse(parts.path));
  ASSIGN_OR_RETURN(request.query_, CanonicalQuery::Make(std::move(parts.query)));
  ASSIGN_OR_RETURN(request.headers_, RequestHeaders::Make(std::move(parts.headers)));
  ASSIGN_OR_RETURN(request.api_version_, CheckVersion(parts.api, parts.api_version));
  RETURN_IF_ERROR(CheckBody(request.method_, parts.body, limits.body));
  request.body_ = std::move(parts.body);
  if (const auto encoding = request.headers_.Find("Content-Encoding"); encoding.has_value()) {
    const auto coding = ParseCoding(*encoding);
    if (!coding.has_value()) return FieldInvalid("headers", "Content-Encoding must be gzip or deflate");
    ASSIGN_OR_RETURN(request.inflated_, Inflate(request.body_, *coding, limits.body));
  }
  return request;
}

std::string CanonicalRequest::Target() const {
  std::string target(BasePath(api_));
  target += path_.encoded();
  if (!query_.encoded().empty()) {
    target += '?';
    target += query_.encoded();
  }
  return target;
}

}  // namespace lmbroker::http
