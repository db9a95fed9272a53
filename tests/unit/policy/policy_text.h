#pragma once

// Policies and questions for the tests of the policy room.

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "service/base/issues.h"
#include "service/base/names.h"
#include "service/http/path.h"
#include "service/policy/engine.h"
#include "service/policy/parse.h"

namespace lmbroker::policy {

inline PortalName Portal(std::string_view id) { return *PortalName::FromId(id, "portal"); }

inline CredentialName Credential(std::string_view portal, std::string_view id) {
  return *CredentialName::FromId(Portal(portal), id, "credential");
}

inline http::CanonicalPath Path(std::string_view literal) {
  auto path = http::CanonicalPath::Parse(literal);
  EXPECT_TRUE(path.ok()) << literal;
  return *std::move(path);
}

// The configured portals of these tests.
inline std::set<PortalName> Portals() { return {Portal("acme"), Portal("globex")}; }

// Every problem of a policy file, as an operator sees them.
inline std::vector<std::string> ProblemsOf(std::string_view yaml) {
  Issues issues("policy.yaml");
  const auto policy = ParsePolicy(yaml, Portals(), issues);
  EXPECT_EQ(policy == nullptr, !issues.empty());
  std::vector<std::string> problems;
  for (const Issue& issue : issues.all()) problems.push_back(issue.ToString());
  return problems;
}

// The engine over a policy file that must be good.
inline Engine EngineOf(std::string_view yaml) {
  Issues issues("policy.yaml");
  auto policy = ParsePolicy(yaml, Portals(), issues);
  for (const Issue& issue : issues.all()) ADD_FAILURE() << issue.ToString();
  if (policy == nullptr) policy = std::make_shared<Policy>();
  return Engine(std::move(policy));
}

}  // namespace lmbroker::policy
