#pragma once

// A question to the policy and its answer, as values.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "service/base/error.h"
#include "service/base/names.h"
#include "service/base/token.h"
#include "service/http/method.h"
#include "service/http/path.h"
#include "service/http/request.h"
#include "service/policy/verb.h"

namespace lmbroker::policy {

// A forward call as policy sees it.
struct ForwardQuestion {
  PortalName portal;
  std::optional<CredentialName> credential;  // unset: the one that the grant binds
  http::Api api = http::Api::kManagement;
  http::Method method = http::Method::kGet;
  http::CanonicalPath path;
};

// A token operation as policy sees it. For kList over a whole portal `admin` is unset.
struct TokenQuestion {
  Verb verb = Verb::kGet;
  PortalName portal;
  std::optional<std::int32_t> admin;
  // Unset where the verb does not know it yet (get, update, toggle, delete by name): then a grant for either type will
  // do, and the question is to be asked again with the type. A create without a type is an LMv1 one, as at LM.
  std::optional<TokenType> type;
  std::optional<absl::Duration> ttl;  // create: the life that is asked for; unset: as long as the grant gives
  bool hand_over = false;
};

// A rule that almost matched, and the first thing in it that did not.
struct NearMiss {
  std::string rule;
  std::string failed;  // e.g. "methods: has GET, call is DELETE"
};

struct Decision {
  bool allowed = false;
  std::string rule;                          // the rule that decided, also against; empty when none matched
  std::optional<Reason> reason;              // why not
  std::string message;                       // the sentence for the caller when refused
  std::optional<CredentialName> credential;  // forward: the credential to sign with
  std::optional<absl::Duration> share;       // forward: how long the reply may serve other calls under the rule
  std::optional<absl::Duration> ttl;         // create: the life of the token; unset: it is not leased
  std::vector<NearMiss> nearest;             // only from Engine::Explain, when refused; most similar first, at most 5
};

// INTERNAL for a decision that says yes and no, or yes without a rule, or no without a reason: it is not acted on.
absl::Status CheckConsistent(const Decision& decision);

}  // namespace lmbroker::policy
