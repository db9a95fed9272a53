#pragma once

// What callers and operators may ask about the policy. Nothing here acts: no portal is called, no key is used.

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/core/call_context.h"
#include "service/core/custody.h"
#include "service/core/forwarder.h"
#include "service/core/policy_holder.h"
#include "service/core/portals.h"
#include "service/policy/decision.h"
#include "service/policy/diff.h"
#include "service/policy/model.h"
#include "service/portal/portal_health.h"

namespace lmbroker::core {

// May this caller do that? `caller` is an identity or a name of the policy.
struct AccessQuestion {
  std::string caller;
  std::variant<policy::ForwardQuestion, policy::TokenQuestion> access;
};

// What would be signed and sent for a call. Holds no signature and nothing of a key.
struct SignatureExplanation {
  std::string string_to_sign;  // the body as its SHA-256; empty for a Bearer token
  std::string signed_path;
  std::string wire_target;
  std::optional<absl::Duration> clock_skew;
};

// The rules of one caller; null for one that the policy does not know. `policy` keeps them alive.
struct CallerGrants {
  std::shared_ptr<const policy::Engine> policy;
  const policy::CallerRules* rules = nullptr;
};

// Safe for concurrent use. The parts must outlive it. Each answer is audited first: AUDIT_UNAVAILABLE.
class PolicyQuestions {
 public:
  struct Parts {
    const PolicyHolder& policy;
    const Portals& portals;
    const Custody& custody;
    const portal::PortalHealths& healths;
  };

  explicit PolicyQuestions(Parts parts) : parts_(parts) {}

  // The very function that decides. NO_GRANT about somebody else, by one who is no operator.
  absl::StatusOr<policy::Decision> Explain(CallContext& context, const AccessQuestion& question) const;

  // The very message that is signed. Refused as Forward would be for the policy and for a credential that does not
  // exist; an operator may ask without a grant, and is told UNKNOWN_PORTAL. How portal and key are doing is no matter.
  absl::StatusOr<SignatureExplanation> ExplainSignature(CallContext& context, const ForwardCall& call) const;

  // What a policy file would change. NO_GRANT for who is no operator; FIELD_INVALID on `policy_yaml` with what is wrong
  // with it, as far as there is room.
  absl::StatusOr<policy::PolicyDiff> Diff(CallContext& context, const std::string& yaml) const;

  // NO_GRANT as from Explain.
  absl::StatusOr<CallerGrants> Grants(CallContext& context, const std::string& caller) const;

 private:
  Parts parts_;
};

}  // namespace lmbroker::core
