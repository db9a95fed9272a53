// A policy file is taken whole or not at all, and what is wrong with it is said in words that can be printed. Whatever
// is taken decides without surprise: nobody unknown is allowed anything, every decision is consistent and explained.

#include <memory>
#include <set>
#include <string>

#include "service/base/issues.h"
#include "service/base/names.h"
#include "service/policy/diff.h"
#include "service/policy/engine.h"
#include "service/policy/parse.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {
namespace {

PortalName Portal(std::string_view id) { return *PortalName::FromId(id, "portal"); }

void RequireSound(const policy::Engine& engine, const Caller& caller) {
  for (const std::string_view path : {"/device/devices", "/setting/admins/7", "/a"}) {
    for (const http::Method method : {http::Method::kGet, http::Method::kPost}) {
      const policy::ForwardQuestion call{
          .portal = Portal("acme"), .method = method, .path = *http::CanonicalPath::Parse(path)};
      const policy::Decision decision = engine.Decide(caller, call);
      Require(policy::CheckConsistent(decision).ok(), "a decision is consistent");
      Require(!decision.allowed || !caller.name.empty(), "nobody is allowed nothing");
      Require(engine.Explain(caller, call).allowed == decision.allowed, "an explanation is the decision");
    }
  }
  const policy::TokenQuestion create{.verb = policy::Verb::kCreate, .portal = Portal("acme"), .admin = 32};
  Require(policy::CheckConsistent(engine.Decide(caller, create)).ok(), "a decision is consistent");
  Require(!engine.Decide(caller, create).allowed || !caller.name.empty(), "nobody is allowed nothing");
}

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  const std::set<PortalName> portals = {Portal("acme"), Portal("globex")};
  Issues issues("policy.yaml");
  auto parsed = policy::ParsePolicy(input, portals, issues);
  Require((parsed == nullptr) == !issues.empty(), "a policy is there, or its problems are");
  for (const Issue& issue : issues.all()) {
    Require(issue.problem.size() < 4000, "a problem is short");
    for (const char c : issue.problem) Require(c >= ' ' || c < 0, "a problem can be printed");
  }
  if (parsed == nullptr) return;
  const policy::Engine engine(parsed);
  RequireSound(engine, Caller{.identity = "dns:nobody.example"});
  for (const policy::CallerRules& rules : parsed->callers) RequireSound(engine, *engine.FindCaller(rules.name));
  const auto same = policy::DiffPolicies(engine, engine, portals);
  Require(!same.ok() || (same->newly_allowed.empty() && same->newly_refused.empty()), "no policy differs from itself");
  const policy::Engine empty(std::make_shared<const policy::Policy>());
  const auto all = policy::DiffPolicies(engine, empty, portals);
  Require(!all.ok() || all->newly_allowed.empty(), "the empty policy allows nothing");
}

}  // namespace lmbroker::fuzz
