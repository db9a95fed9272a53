#include "service/core/shadow_policy.h"

#include <vector>

#include "service/base/error.h"
#include "service/http/method.h"
#include "service/policy/verb.h"

namespace lmbroker::core {
namespace {

constexpr absl::Duration kBetweenLines = absl::Minutes(1);
constexpr std::size_t kMostLines = 1000;  // remembered; what finds no room is counted and not logged

// Who the shadow takes the caller for: it may know identities that the policy in force does not. Nobody, when they
// belong to two of its callers.
Caller SameCaller(const Caller& caller, const policy::Engine& shadow) {
  const auto found =
      shadow.Identify(caller.identities.empty() ? std::vector{caller.identity} : caller.identities, caller.peer);
  return found.ok() ? *found : Caller{.identity = caller.identity};
}

std::string_view ReasonOfRefusal(const absl::Status& refusal) {
  const auto reason = ReasonOf(refusal);
  return reason.has_value() ? ReasonName(*reason) : "";
}

}  // namespace

void ShadowPolicy::Compare(const Caller& caller, const policy::ForwardQuestion& question,
                           const http::CanonicalRequest& request, const absl::Status& decided, std::string_view rule) {
  const auto shadow = Get();
  if (shadow == nullptr) return;
  CompareDecisions(
      shadow->Judge(SameCaller(caller, *shadow), question, request), decided,
      {.caller = caller, .rule = rule, .portal = question.portal.id(), .call = http::MethodName(question.method)});
}

void ShadowPolicy::Compare(const Caller& caller, const policy::TokenQuestion& question, const absl::Status& decided,
                           std::string_view rule) {
  const auto shadow = Get();
  if (shadow == nullptr) return;
  CompareDecisions(
      shadow->Decide(SameCaller(caller, *shadow), question), decided,
      {.caller = caller, .rule = rule, .portal = question.portal.id(), .call = policy::VerbName(question.verb)});
}

void ShadowPolicy::CompareDecisions(const policy::Decision& decision, const absl::Status& decided,
                                    Difference difference) {
  if (decision.allowed == decided.ok()) return;
  difference.would_allow = decision.allowed;
  if (decision.allowed) difference.rule = decision.rule;
  difference.reason =
      decision.allowed ? ReasonOfRefusal(decided) : ReasonName(decision.reason.value_or(Reason::kNoGrant));
  Report(difference);
}

void ShadowPolicy::Report(const Difference& difference) {
  (difference.would_allow ? would_allow_ : would_refuse_).fetch_add(1, std::memory_order_relaxed);
  parts_.metrics.ShadowDiffered(difference.would_allow);
  if (!IsDue(difference)) return;
  parts_.logger.Warn("shadow_difference", {{"shadow", difference.would_allow ? "would_allow" : "would_refuse"},
                                           {"caller", difference.caller.name},
                                           {"identity", difference.caller.identity},
                                           {"rule", difference.rule},
                                           {"reason", difference.reason},
                                           {"portal", difference.portal},
                                           {"call", difference.call}});
}

bool ShadowPolicy::IsDue(const Difference& difference) {
  const absl::Duration now = parts_.clock.Monotonic();
  const std::string& name = difference.caller.name;
  std::pair key(name.empty() ? difference.caller.identity : name, std::string(difference.rule));
  const MutexLock lock(lines_mutex_);
  const auto known = lines_.find(key);
  if (known != lines_.end()) {
    if (now - known->second < kBetweenLines) return false;
    known->second = now;
    return true;
  }
  if (lines_.size() >= kMostLines) {
    std::erase_if(lines_, [&](const auto& line) { return now - line.second >= kBetweenLines; });
  }
  if (lines_.size() >= kMostLines) return false;
  lines_.emplace(std::move(key), now);
  return true;
}

std::shared_ptr<const policy::Engine> ShadowPolicy::Get() const {
  const MutexLock lock(mutex_);
  return engine_;
}

void ShadowPolicy::Swap(std::shared_ptr<const policy::Engine> engine, absl::Time now) {
  const MutexLock lock(mutex_);
  state_ = {.digest = engine->policy().digest, .load_time = now};
  engine_.swap(engine);  // the old one dies outside the lock
  would_allow_.store(0, std::memory_order_relaxed);
  would_refuse_.store(0, std::memory_order_relaxed);
}

void ShadowPolicy::Keep(std::string error) {
  const MutexLock lock(mutex_);
  state_.error = std::move(error);
}

ShadowPolicy::State ShadowPolicy::state() const {
  const MutexLock lock(mutex_);
  State state = state_;
  state.would_allow = would_allow_.load(std::memory_order_relaxed);
  state.would_refuse = would_refuse_.load(std::memory_order_relaxed);
  return state;
}

}  // namespace lmbroker::core
