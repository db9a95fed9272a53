#include "service/app/ops_view.h"

#include <cstdint>

#include <fmt/format.h>

namespace lmbroker::app {

std::string OpsView::MetricsText() const {
  const Foundations& on = parts_.foundations;
  Metrics& metrics = *on.metrics;
  metrics.SetAuditLag(on.audit->Lag());
  for (const auto& [portal, master] : parts_.portals.all()) {
    const portal::PortalHealth& health = *parts_.healths.Of(portal);
    metrics.SetBreakerOpen(portal.id(), health.breaker.state() != portal::Breaker::State::kClosed);
    metrics.SetClockSkew(portal.id(), health.clock.skew().value_or(absl::ZeroDuration()));
    if (const auto stuck = on.store->CountStuckLeases(portal); stuck.ok()) metrics.SetStuckLeases(portal.id(), *stuck);
  }
  metrics.SetBodyBytes(on.memory->taken());
  metrics.SetConnections(parts_.connections());
  return metrics.Text();
}

std::vector<ops::Check> OpsView::Checks() const {
  return {{.name = "serving", .run = [this] { return CheckServing(); }},
          {.name = "audit", .run = [this] { return CheckAudit(); }},
          {.name = "keys", .run = [this] { return CheckKeys(); }},
          // An older policy is a policy: the broker goes on with it, and says so.
          {.name = "policy", .run = [this] { return ops::CheckResult{.detail = parts_.policy.state().error}; }},
          {.name = "listener_files", .run = [this] { return ops::CheckResult{.detail = parts_.listener_tls.error()}; }},
          {.name = "issuer_keys", .run = [this] { return ops::CheckResult{.detail = parts_.issuer_keys_error()}; }},
          {.name = "shadow_policy", .run = [this] { return ops::CheckResult{.detail = parts_.shadow.state().error}; }},
          {.name = "leases", .run = [this] { return CheckLeases(); }},
          {.name = "masters", .run = [this] { return CheckMasters(); }}};
}

ops::CheckResult OpsView::CheckServing() const {
  const bool draining = parts_.draining();
  return {.ready = !draining, .detail = draining ? "shutting down" : ""};
}

ops::CheckResult OpsView::CheckAudit() const {
  const absl::Status health = parts_.foundations.audit->Health();
  return {.ready = health.ok(), .detail = std::string(health.message())};
}

// Sealed it lives, and does nothing of what it is there for.
ops::CheckResult OpsView::CheckKeys() const {
  const core::KeyKeeper::State state = parts_.foundations.keeper->state();
  if (state.sealed) return {.ready = false, .detail = "sealed; an operator can unseal it"};
  return {.detail = state.error};
}

// Tokens that should have ended and have not. Callers are served all the same.
ops::CheckResult OpsView::CheckLeases() const {
  ops::CheckResult result;
  for (const auto& [portal, master] : parts_.portals.all()) {
    const std::int64_t stuck = parts_.foundations.store->CountStuckLeases(portal).value_or(0);
    if (stuck == 0) continue;
    result.detail +=
        fmt::format("{}{} leases of {} are stuck", result.detail.empty() ? "" : "; ", stuck, portal.ToString());
  }
  return result;
}

// Forward works without a master, so a missing one is told, not a reason to be passed over.
ops::CheckResult OpsView::CheckMasters() const {
  ops::CheckResult result;
  for (const auto& [portal, master] : parts_.portals.all()) {
    if (!master.has_value() || parts_.foundations.custody->Has(*master)) continue;
    result.detail += fmt::format("{}{} is not imported yet", result.detail.empty() ? "" : "; ", master->ToString());
  }
  return result;
}

}  // namespace lmbroker::app
