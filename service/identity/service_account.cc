#include "service/identity/service_account.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "service/base/identity_text.h"
#include "service/base/status_macros.h"
#include "service/identity/bad_token.h"
#include "service/identity/strict_json.h"

namespace lmbroker::identity {
namespace {

using nlohmann::json;

constexpr std::size_t kMostAudiences = 64;
constexpr std::uint64_t kMostSeconds = 253'402'300'799;  // the end of the year 9999

std::optional<absl::Time> TimeOf(const json& claims, const char* field) {
  const auto seconds = NumberOf(claims, field);
  if (!seconds.has_value() || *seconds > kMostSeconds) return std::nullopt;
  return absl::FromUnixSeconds(static_cast<std::int64_t>(*seconds));
}

// RFC 7519, section 4.1.3: one name, or an array of them.
bool IsFor(const json& claims, const std::string& audience) {
  const auto found = claims.find("aud");
  if (found == claims.end()) return false;
  if (found->is_string()) return *found == audience;
  if (!found->is_array() || found->size() > kMostAudiences) return false;
  return std::all_of(found->begin(), found->end(), [](const json& each) { return each.is_string(); }) &&
         std::find(found->begin(), found->end(), audience) != found->end();
}

absl::StatusOr<absl::Time> JudgeTimes(const json& claims, absl::Duration leeway, absl::Time now) {
  const auto expires = TimeOf(claims, "exp");
  const auto not_before = TimeOf(claims, "nbf");
  const auto issued = TimeOf(claims, "iat");
  if (!expires.has_value() || !not_before.has_value() || !issued.has_value()) {
    return BadToken("does not say when it was issued, begins and expires (`iat`, `nbf`, `exp`)");
  }
  if (now - leeway >= *expires) return BadToken("has expired");
  if (now + leeway < *not_before || now + leeway < *issued) return BadToken("is not valid yet");
  return *expires;
}

absl::StatusOr<ServiceAccount> ReadAccount(const json& claims) {
  const json* const cluster = ObjectOf(claims, "kubernetes.io");
  const json* const account = cluster == nullptr ? nullptr : ObjectOf(*cluster, "serviceaccount");
  if (account == nullptr) return BadToken("is none of a Kubernetes service account");
  const std::string name_space = TextOf(*cluster, "namespace").value_or("");
  const std::string name = TextOf(*account, "name").value_or("");
  const auto uid = TextOf(*account, "uid");
  const std::string full_name = fmt::format("{}/{}", name_space, name);
  if (!uid.has_value() || !IsServiceAccount(full_name)) return BadToken("does not name its service account");
  ServiceAccount result{.identity = "k8s:" + full_name,
                        .user_name = fmt::format("system:serviceaccount:{}:{}", name_space, name),
                        .uid = *uid};
  if (TextOf(claims, "sub") != result.user_name) return BadToken("names two different service accounts");
  if (cluster->contains("pod")) {
    const json* const pod = ObjectOf(*cluster, "pod");
    const auto pod_uid = pod == nullptr ? std::nullopt : TextOf(*pod, "uid");
    if (!pod_uid.has_value()) return BadToken("does not say which pod it is bound to");
    result.pod_uid = *pod_uid;
  }
  return result;
}

}  // namespace

absl::StatusOr<ServiceAccount> JudgeClaims(std::string_view claims, const TokenRules& rules, absl::Time now) {
  const auto object = ParseObject(claims);
  if (!object.has_value()) return BadToken("has no readable claims");
  if (TextOf(*object, "iss") != rules.issuer) return BadToken("is of another issuer");
  if (!IsFor(*object, rules.audience)) return BadToken("is for another audience");
  ASSIGN_OR_RETURN(const absl::Time expires, JudgeTimes(*object, rules.leeway, now));
  ASSIGN_OR_RETURN(ServiceAccount account, ReadAccount(*object));
  account.expire_time = expires;
  return account;
}

}  // namespace lmbroker::identity
