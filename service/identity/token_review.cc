#include "service/identity/token_review.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/base/text.h"
#include "service/identity/bad_token.h"
#include "service/identity/strict_json.h"

namespace lmbroker::identity {
namespace {

using nlohmann::json;

constexpr std::string_view kPath = "/apis/authentication.k8s.io/v1/tokenreviews";
constexpr int kCreated = 201;
constexpr int kOk = 200;

constexpr absl::Duration kPause = absl::Seconds(1);

absl::Status NoAnswer() {
  return BadToken("cannot be checked now, because the cluster gave the broker no answer about it",
                  {.retry_after = absl::Seconds(1)});
}

// The token is base64url and dots, which JSON needs no escapes for: it was parsed before.
Secret RequestOf(const std::string& audience, const Secret& token) {
  constexpr std::string_view kBegin =
      R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":")";
  const std::string end = fmt::format(R"(","audiences":[{}]}}}})", json(audience).dump());
  Secret request = Secret::WithSize(kBegin.size() + token.size() + end.size());
  char* out = request.data();
  out += kBegin.copy(out, kBegin.size());
  out += token.Reveal().copy(out, token.size());
  end.copy(out, end.size());
  return request;
}

bool Names(const json& list, const std::string& text) {
  return list.is_array() && std::find(list.begin(), list.end(), text) != list.end();
}

// `extra` has lists. A pod that the cluster does not mention is none that it could have checked.
bool IsPod(const json& user, const std::string& pod_uid) {
  if (pod_uid.empty()) return true;
  const json* const extra = ObjectOf(user, "extra");
  const auto uid = extra == nullptr ? json::const_iterator() : extra->find("authentication.kubernetes.io/pod-uid");
  return extra != nullptr && uid != extra->end() && Names(*uid, pod_uid);
}

}  // namespace

absl::Status JudgeReview(std::string_view reply, const std::string& audience, const ServiceAccount& account) {
  const auto review = ParseObject(reply);
  const json* const status = review.has_value() ? ObjectOf(*review, "status") : nullptr;
  if (status == nullptr) return NoAnswer();
  const auto authenticated = status->find("authenticated");
  const bool yes = authenticated != status->end() && authenticated->is_boolean() && authenticated->get<bool>();
  // A yes with an error is no yes.
  if (!yes || TextOf(*status, "error").has_value()) {
    return BadToken("is not, or no longer, one that its cluster vouches for");
  }
  const json* const user = ObjectOf(*status, "user");
  const auto audiences = status->find("audiences");
  if (user == nullptr || TextOf(*user, "username") != account.user_name || TextOf(*user, "uid") != account.uid ||
      !IsPod(*user, account.pod_uid) || audiences == status->end() || !Names(*audiences, audience)) {
    return BadToken("is for its cluster somebody else's than it says");
  }
  return absl::OkStatus();
}

TokenReviews::TokenReviews(const Parts& parts, std::shared_ptr<HttpsService> api, std::string audience)
    : parts_(parts), api_(std::move(api)), audience_(std::move(audience)) {}

absl::Status TokenReviews::Review(const Secret& token, const ServiceAccount& account) {
  absl::Status reviewed = Ask(token, account);
  parts_.metrics.TokenReviewed(reviewed.ok());
  return reviewed;
}

absl::Status TokenReviews::Ask(const Secret& token, const ServiceAccount& account) {
  if (IsSilent()) return NoAnswer();
  const auto reply = api_->Post(kPath, RequestOf(audience_, token));
  if (!reply.ok()) return NotAsked(ToStd(reply.status().message()));
  if (reply->status != kCreated && reply->status != kOk) {
    return NotAsked(
        fmt::format("the API answered {}; see whether the broker's service account may create token reviews "
                    "(cluster role system:auth-delegator)",
                    reply->status));
  }
  return JudgeReview(reply->body.Reveal(), audience_, account);
}

bool TokenReviews::IsSilent() const {
  const MutexLock lock(mutex_);
  return parts_.clock.Monotonic() < silent_until_;
}

absl::Status TokenReviews::NotAsked(std::string_view problem) {
  const absl::Duration now = parts_.clock.Monotonic();
  const MutexLock lock(mutex_);
  if (now >= silent_until_) parts_.logger.Error("token_review_failed", {{"problem", problem}});
  silent_until_ = now + kPause;
  return NoAnswer();
}

}  // namespace lmbroker::identity
