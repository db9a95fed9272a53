#pragma once

// The policy file as values: what parse.cc makes and engine.cc reads. Immutable once made.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "service/base/names.h"
#include "service/base/token.h"
#include "service/http/method.h"
#include "service/http/request.h"
#include "service/policy/match.h"
#include "service/policy/verb.h"

namespace lmbroker::policy {

struct ForwardGrant {
  std::string rule;  // "inventory.forward[0]"
  PortalName portal;
  CredentialName credential;
  http::Api api = http::Api::kManagement;
  std::vector<http::Method> methods;
  std::vector<PathPattern> paths;
  bool account_writes = false;
  std::optional<absl::Duration> share;  // how long the reply of a GET may serve other calls under the grant
};

struct TokensGrant {
  std::string rule;  // "inventory.tokens[0]"
  PortalName portal;
  bool any_admin = false;
  std::vector<std::int32_t> admins;
  std::vector<TokenType> types;
  std::vector<Verb> verbs;
  std::optional<absl::Duration> max_ttl;  // every token is leased, for so long at most
  bool hand_over = false;
};

// A caller's part of the portals' rate limits.
struct CallerBudget {
  int weight = 1;                     // among the callers that wait
  std::optional<int> max_per_minute;  // calls
};

struct CallerRules {
  std::string name;  // letters, digits, '.', '_', '-'; never looks like an identity
  std::vector<std::string> identities;
  std::vector<ForwardGrant> forward;
  std::vector<TokensGrant> tokens;
  CallerBudget budget;
  std::optional<int> max_tokens;  // of those that it created and that are not deleted, at all portals together
  bool is_operator = false;
};

struct Policy {
  std::vector<CallerRules> callers;
  std::map<std::string, std::size_t, std::less<>> by_identity;  // index into callers
  std::map<std::string, std::size_t, std::less<>> by_name;
  std::string digest;  // SHA-256 of the file, hex
};

}  // namespace lmbroker::policy
