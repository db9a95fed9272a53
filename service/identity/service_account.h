#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

namespace lmbroker::identity {

// What tokens must say to count here.
struct TokenRules {
  std::string issuer;
  std::string audience;
  absl::Duration leeway = absl::Seconds(30);  // how far the issuer's clock may be from ours
};

// The Kubernetes service account of a token.
struct ServiceAccount {
  std::string identity;   // "k8s:NAMESPACE/NAME"
  std::string user_name;  // "system:serviceaccount:NAMESPACE:NAME", as the cluster calls it
  std::string uid;        // of the account: another one of the same name has another
  std::string pod_uid;    // of the pod that the token is bound to; empty when it is bound to none
  absl::Time expire_time;
};

// Judges the claims (a JSON object) of a token whose signature is good. BAD_TOKEN unless issuer and audience are ours,
// the time is right, and `sub` and `kubernetes.io` name one account.
absl::StatusOr<ServiceAccount> JudgeClaims(std::string_view claims, const TokenRules& rules, absl::Time now);

}  // namespace lmbroker::identity
