#include "service/identity/discovery.h"

#include <utility>

#include <fmt/format.h>

#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/identity/strict_json.h"

namespace lmbroker::identity {
namespace {

constexpr std::string_view kDocument = "/.well-known/openid-configuration";
constexpr std::string_view kKeys = "/openid/v1/jwks";

absl::StatusOr<std::string> GetGood(HttpsService& api, std::string_view path) {
  ASSIGN_OR_RETURN(const HttpsReply reply, api.Get(path));
  if (reply.status == 200) return std::string(reply.body.Reveal());
  return absl::FailedPreconditionError(
      fmt::format("{}{} answered {}; see whether the broker's service account may read it "
                  "(cluster role system:service-account-issuer-discovery)",
                  api.address(), path, reply.status));
}

// The path of the key set; that of every cluster when the document names another host, as clusters do that write down
// an address of theirs that is not the one we were given.
std::string PathOf(std::string_view url, std::string_view address) {
  const bool ours = url.starts_with(address) && url.substr(address.size()).starts_with('/');
  const std::string_view path = ours ? url.substr(address.size()) : kKeys;
  return HasControl(path) || path.find(' ') != std::string_view::npos ? std::string(kKeys) : std::string(path);
}

}  // namespace

absl::StatusOr<std::string> FetchKeys(HttpsService& api, std::string_view issuer) {
  ASSIGN_OR_RETURN(const std::string text, GetGood(api, kDocument));
  const auto document = ParseObject(text);
  if (!document.has_value()) {
    return absl::FailedPreconditionError(fmt::format("{}{} is no JSON object", api.address(), kDocument));
  }
  if (TextOf(*document, "issuer") != issuer) {
    return absl::FailedPreconditionError(
        fmt::format("{} issues tokens of another issuer than `identity.kubernetes.issuer`", api.address()));
  }
  return GetGood(api, PathOf(TextOf(*document, "jwks_uri").value_or(""), api.address()));
}

}  // namespace lmbroker::identity
