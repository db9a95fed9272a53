#include "service/policy/parse.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "lmbroker/config/v1/policy.pb.h"
#include "service/base/identity_text.h"
#include "service/base/yaml_message.h"
#include "service/crypto/digest.h"
#include "service/policy/expect.h"
#include "service/policy/grant_parser.h"

namespace lmbroker::policy {
namespace {

namespace v1 = config::v1;

// Letters, digits, '.', '_' and '-', so that a name is never mistaken for an identity.
bool IsCallerName(std::string_view name) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= 63 && alphanumeric(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

class PolicyParser {
 public:
  PolicyParser(const std::set<PortalName>& portals, Issues& issues) : issues_(issues), grants_(portals, issues) {}

  Policy Parse(const v1::Policy& file) {
    for (int i = 0; i < file.callers_size(); ++i) {
      policy_.callers.push_back(ParseCaller(file.callers(i), ItemPath("callers", static_cast<std::size_t>(i))));
    }
    return std::move(policy_);
  }

 private:
  CallerRules ParseCaller(const v1::Caller& caller, const std::string& path) {
    CallerRules rules;
    rules.name = ParseName(caller.name(), ChildPath(path, "name"));
    rules.identities = ParseIdentities(caller, ChildPath(path, "identities"));
    for (int i = 0; i < caller.forward_size(); ++i) {
      const std::string item = ItemPath("forward", static_cast<std::size_t>(i));
      auto grant = grants_.ParseForward(caller.forward(i), ChildPath(path, item), ChildPath(rules.name, item));
      if (grant.has_value()) rules.forward.push_back(*std::move(grant));
    }
    for (int i = 0; i < caller.tokens_size(); ++i) {
      const std::string item = ItemPath("tokens", static_cast<std::size_t>(i));
      auto grant = grants_.ParseTokens(caller.tokens(i), ChildPath(path, item), ChildPath(rules.name, item));
      if (grant.has_value()) rules.tokens.push_back(*std::move(grant));
    }
    rules.budget = ParseBudget(caller.budget(), ChildPath(path, "budget"));
    rules.max_tokens = ParseMaxTokens(caller, ChildPath(path, "max_tokens"));
    rules.is_operator = caller.operator_();
    return rules;
  }

  std::string ParseName(const std::string& name, const std::string& path) {
    if (!IsCallerName(name)) {
      issues_.Add(path, "must be 1 to 63 letters, digits, '.', '_' or '-', the first a letter or digit");
    } else if (!policy_.by_name.emplace(name, policy_.callers.size()).second) {
      issues_.Add(path, fmt::format("another caller is named {}", name));
    }
    return name;
  }

  std::vector<std::string> ParseIdentities(const v1::Caller& caller, const std::string& path) {
    if (caller.identities().empty()) issues_.Add(path, "must name at least one identity");
    for (int i = 0; i < caller.identities_size(); ++i) {
      const std::string& identity = caller.identities(i);
      const std::string item = ItemPath(path, static_cast<std::size_t>(i));
      if (const std::string_view problem = IdentityProblem(identity); !problem.empty()) {
        issues_.Add(item, problem);
      } else if (const auto [other, fresh] = policy_.by_identity.emplace(identity, policy_.callers.size()); !fresh) {
        issues_.Add(item, other->second == policy_.callers.size()
                              ? "stands here a second time"
                              : fmt::format("is an identity of callers[{}], too", other->second));
      }
    }
    return {caller.identities().begin(), caller.identities().end()};
  }

  CallerBudget ParseBudget(const v1::CallerBudget& file, const std::string& path) {
    constexpr int kMostWeight = 1000;
    CallerBudget budget;
    if (file.has_weight()) budget.weight = file.weight();
    if (file.has_max_per_minute()) budget.max_per_minute = file.max_per_minute();
    if (budget.weight < 1 || budget.weight > kMostWeight) {
      issues_.Add(ChildPath(path, "weight"), fmt::format("must be 1 to {}", kMostWeight));
    }
    if (budget.max_per_minute.has_value() && *budget.max_per_minute < 1) {
      issues_.Add(ChildPath(path, "max_per_minute"), "must be at least 1");
    }
    return budget;
  }

  std::optional<int> ParseMaxTokens(const v1::Caller& caller, const std::string& path) {
    if (!caller.has_max_tokens()) return std::nullopt;
    if (caller.max_tokens() < 1) issues_.Add(path, "must be at least 1; to create none, leave the verb create out");
    return caller.max_tokens();
  }

  Issues& issues_;
  GrantParser grants_;
  Policy policy_;
};

}  // namespace

std::shared_ptr<const Policy> ParsePolicy(std::string_view yaml, const std::set<PortalName>& portals, Issues& issues) {
  v1::Policy file;
  ReadYaml(yaml, file, issues, {{"lmbroker.config.v1.TokenGrant.admins", "any"}});
  auto policy = std::make_shared<Policy>(PolicyParser(portals, issues).Parse(file));
  policy->digest = crypto::Sha256Hex(yaml);
  // Expectations are judged by the very engine that will serve, and only about a policy that is whole.
  if (issues.empty()) CheckExpectations(file, policy, portals, issues);
  if (!issues.empty()) return nullptr;
  return policy;
}

}  // namespace lmbroker::policy
