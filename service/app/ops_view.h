#pragma once

#include <functional>
#include <string>
#include <vector>

#include "service/app/foundations.h"
#include "service/app/listener_tls.h"
#include "service/core/policy_holder.h"
#include "service/core/portals.h"
#include "service/core/shadow_policy.h"
#include "service/ops/readiness.h"
#include "service/portal/portal_health.h"

namespace lmbroker::app {

// What the operators' port tells: whether the broker is ready, what is wrong although it serves, and its figures.
// Safe for concurrent use.
class OpsView {
 public:
  struct Parts {
    const Foundations& foundations;
    const core::Portals& portals;
    const core::PolicyHolder& policy;
    const core::ShadowPolicy& shadow;
    const portal::PortalHealths& healths;
    const ListenerTls& listener_tls;
    std::function<bool()> draining;
    std::function<std::string()> issuer_keys_error;  // of callers' tokens; empty: none
    std::function<std::size_t()> connections;
  };

  // The parts must outlive the view.
  explicit OpsView(Parts parts) : parts_(std::move(parts)) {}

  // The view must outlive them.
  std::vector<ops::Check> Checks() const;
  // Prometheus text.
  std::string MetricsText() const;

 private:
  ops::CheckResult CheckServing() const;
  ops::CheckResult CheckAudit() const;
  ops::CheckResult CheckKeys() const;
  ops::CheckResult CheckLeases() const;
  ops::CheckResult CheckMasters() const;

  const Parts parts_;
};

}  // namespace lmbroker::app
