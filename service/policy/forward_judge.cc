#include "service/policy/forward_judge.h"

#include <algorithm>
#include <bit>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "service/base/text.h"
#include "service/policy/endpoints.h"
#include "service/policy/nearest.h"

namespace lmbroker::policy {
namespace {

// The conditions of a forward grant, the one that tells most about a refusal first.
constexpr Failures kPortal = 1U << 0U;
constexpr Failures kApi = 1U << 1U;
constexpr Failures kCredential = 1U << 2U;
constexpr Failures kMethod = 1U << 3U;
constexpr Failures kPath = 1U << 4U;
constexpr Failures kAccountWrites = 1U << 5U;

// What of `question` the grant does not cover; 0 when it covers it all. `segments` are those of the question's path.
Failures FailuresOf(const ForwardGrant& grant, const ForwardQuestion& question,
                    std::span<const std::string_view> segments, bool account_write) {
  const auto matches = [&](const PathPattern& pattern) { return pattern.Matches(segments); };
  Failures failures = 0;
  if (grant.portal != question.portal) failures |= kPortal;
  if (grant.api != question.api) failures |= kApi;
  if (question.credential.has_value() && grant.credential != *question.credential) failures |= kCredential;
  if (std::find(grant.methods.begin(), grant.methods.end(), question.method) == grant.methods.end()) {
    failures |= kMethod;
  }
  if (std::none_of(grant.paths.begin(), grant.paths.end(), matches)) failures |= kPath;
  if (account_write && !grant.account_writes) failures |= kAccountWrites;
  return failures;
}

std::string_view ApiWord(http::Api api) { return api == http::Api::kIngest ? "ingest" : "management"; }

// The first failure in words; for none, why the grant did not decide nevertheless.
std::string Describe(const ForwardGrant& grant, const ForwardQuestion& question, Failures failures) {
  switch (failures & (~failures + 1)) {  // the lowest bit
    case kPortal:
      return fmt::format("portal: is {}, call is for {}", grant.portal.id(), question.portal.id());
    case kApi:
      return fmt::format("api: is {}, call is {}", ApiWord(grant.api), ApiWord(question.api));
    case kCredential:
      return fmt::format("credential: is {}, call names {}", grant.credential.id(),
                         question.credential.has_value() ? question.credential->id() : "none");
    case kMethod:
      return fmt::format("methods: has {}, call is {}", ListOf(grant.methods, http::MethodName),
                         http::MethodName(question.method));
    case kPath:
      return fmt::format("paths: has {}, call is {}",
                         ListOf(grant.paths, [](const PathPattern& p) { return p.text(); }),
                         Excerpt(question.path.decoded()));
    case kAccountWrites:
      return "account_writes: is not set, call writes to users or roles";
    default:
      return fmt::format("credential: is {}, another rule has another; name one in the call", grant.credential.id());
  }
}

Decision RefuseUnlessNamed(const std::vector<const ForwardGrant*>& covering) {
  std::vector<std::string> credentials;
  for (const ForwardGrant* grant : covering) {
    std::string name = grant->credential.ToString();
    if (std::find(credentials.begin(), credentials.end(), name) == credentials.end()) {
      credentials.push_back(std::move(name));
    }
  }
  return {.reason = Reason::kFieldInvalid,
          .message = fmt::format("Your grants allow this call with several credentials; name one in `credential`: {}.",
                                 ListOf(credentials, [](const std::string& name) { return name; }))};
}

}  // namespace

Decision JudgeForward(const CallerRules& caller, std::span<const ForwardGrant* const> grants,
                      const ForwardQuestion& question, std::span<const std::string_view> segments) {
  const bool account_write = IsAccountWrite(question.method, segments);
  std::vector<const ForwardGrant*> covering;
  const ForwardGrant* without_account_writes = nullptr;
  for (const ForwardGrant* grant : grants) {
    const Failures failures = FailuresOf(*grant, question, segments, account_write);
    if (failures == 0) covering.push_back(grant);
    if (failures == kAccountWrites && without_account_writes == nullptr) without_account_writes = grant;
  }
  if (covering.empty() && without_account_writes != nullptr) {
    return {
        .rule = without_account_writes->rule,
        .reason = Reason::kAccountEndpoint,
        .message = fmt::format("The rule {} does not allow writes to users and roles; it would need account_writes.",
                               without_account_writes->rule)};
  }
  if (covering.empty()) {
    return {.reason = Reason::kNoGrant,
            .message = fmt::format("No grant of the caller {} covers this call; ExplainAccess names the nearest rules.",
                                   caller.name)};
  }
  const ForwardGrant& first = *covering.front();
  const auto other_credential = [&](const ForwardGrant* grant) { return grant->credential != first.credential; };
  if (std::any_of(covering.begin(), covering.end(), other_credential)) return RefuseUnlessNamed(covering);
  return {.allowed = true,
          .rule = first.rule,
          .credential = first.credential,
          .share = question.method == http::Method::kGet ? first.share : std::nullopt};
}

std::vector<NearMiss> NearestForward(const CallerRules& caller, const ForwardQuestion& question) {
  const std::vector<std::string_view> segments = question.path.segments();
  const bool account_write = IsAccountWrite(question.method, segments);
  std::vector<Miss> misses;
  for (const ForwardGrant& grant : caller.forward) {
    const Failures failures = FailuresOf(grant, question, segments, account_write);
    misses.push_back({{grant.rule, Describe(grant, question, failures)}, failures});
  }
  return MostSimilar(std::move(misses));
}

}  // namespace lmbroker::policy
