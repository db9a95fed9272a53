#include "service/rpc/operator_service.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "service/base/status_macros.h"
#include "service/rpc/convert.h"
#include "service/rpc/credential_convert.h"
#include "service/rpc/lease_convert.h"
#include "service/rpc/unary.h"

namespace lmbroker::rpc {
namespace {

// For calls in flight to end by themselves when the broker is sealed, and again for those that are cut.
constexpr absl::Duration kSealPatience = absl::Seconds(5);

void Write(const portal::BudgetState& row, v1::BudgetStatus& out) {
  out.set_pattern(std::string(http::BasePath(row.api)) + row.pattern);
  out.set_method(std::string(http::MethodName(row.method)));
  out.set_limit(row.budget.limit);
  out.set_remaining(row.budget.remaining);
  ToProto(row.budget.window, *out.mutable_window());
  out.set_waiting(static_cast<std::int32_t>(row.waiting));
}

v1::PortalStatus::Breaker BreakerOf(portal::Breaker::State state) {
  switch (state) {
    case portal::Breaker::State::kClosed:
      return v1::PortalStatus::CLOSED;
    case portal::Breaker::State::kOpen:
      return v1::PortalStatus::OPEN;
    case portal::Breaker::State::kHalfOpen:
      return v1::PortalStatus::HALF_OPEN;
  }
  return v1::PortalStatus::BREAKER_UNSPECIFIED;
}

void Write(const portal::PortalHealth& health, v1::PortalStatus& out) {
  out.set_breaker(BreakerOf(health.breaker.state()));
  if (const auto skew = health.clock.skew(); skew.has_value()) ToProto(*skew, *out.mutable_clock_skew());
}

void Write(const core::ShadowPolicy::State& state, v1::ShadowStatus& out) {
  out.set_digest(state.digest);
  if (!state.digest.empty()) ToProto(state.load_time, *out.mutable_load_time());
  out.set_error(state.error);
  out.set_would_allow(state.would_allow);
  out.set_would_refuse(state.would_refuse);
}

}  // namespace

v1::PortalStatus::MasterState OperatorService::MasterStateOf(const std::optional<CredentialName>& master) const {
  if (!master.has_value()) return v1::PortalStatus::NOT_CONFIGURED;
  const auto record = parts_.custody.Describe(*master);
  if (!record.ok() || !record->master) return v1::PortalStatus::NOT_IMPORTED;
  return record->status == TokenStatus::kEnabled ? v1::PortalStatus::READY : v1::PortalStatus::SWITCHED_OFF;
}

void OperatorService::WritePortals(v1::GetStatusResponse& out) const {
  const auto connections = parts_.client.Stats();
  for (const auto& [portal, master] : parts_.portals.all()) {
    v1::PortalStatus& status = *out.add_portals();
    status.set_portal(portal.ToString());
    status.set_master_state(MasterStateOf(master));
    if (const auto stats = connections.find(portal); stats != connections.end()) {
      const auto& [success, failure] = std::pair(stats->second.last_success, stats->second.last_failure);
      const bool tried = success != absl::InfinitePast() || failure != absl::InfinitePast();
      if (tried) status.set_reachable(success >= failure);
    }
    if (const portal::PortalHealth* const health = parts_.healths.Of(portal); health != nullptr) Write(*health, status);
    for (const auto& row : parts_.budgets.Of(portal)) Write(row, *status.add_budgets());
    status.set_stuck_leases(static_cast<std::int32_t>(parts_.store.CountStuckLeases(portal).value_or(0)));
  }
}

void OperatorService::WriteCredentials(v1::GetStatusResponse& out) const {
  const absl::Time now = edge_.parts().clock.Now();
  for (const store::CredentialRecord& record : parts_.custody.List(std::nullopt)) {
    v1::CredentialStatus& status = *out.add_credentials();
    status.set_credential(record.name.ToString());
    status.set_state(ToProto(record.state));
    ToProto(now - record.rotate_time.value_or(record.create_time), *status.mutable_age());
  }
}

v1::GetStatusResponse OperatorService::Status() const {
  v1::GetStatusResponse out;
  out.set_version(parts_.version);
  ToProto(parts_.start_time, *out.mutable_start_time());
  WritePortals(out);
  WriteCredentials(out);
  const core::PolicyHolder& policy = edge_.parts().policy;
  const auto state = policy.state();
  out.mutable_policy()->set_digest(policy.Get()->policy().digest);
  ToProto(state.load_time, *out.mutable_policy()->mutable_load_time());
  out.mutable_policy()->set_error(state.error);
  if (parts_.shadow != nullptr) Write(parts_.shadow->state(), *out.mutable_policy()->mutable_shadow());
  ToProto(parts_.audit.Lag(), *out.mutable_audit()->mutable_lag());
  if (const absl::Status health = parts_.audit.Health(); !health.ok()) {
    out.mutable_audit()->set_error(std::string(health.message()));
  }
  const core::KeyKeeper::State keys = parts_.keeper.state();
  out.set_sealed(keys.sealed);
  out.mutable_rewrap()->set_done(keys.rewrap.done);
  out.mutable_rewrap()->set_total(keys.rewrap.total);
  out.mutable_rewrap()->set_error(keys.error);
  return out;
}

absl::Status OperatorService::SealNow(core::CallContext& call) {
  RETURN_IF_ERROR(call.audit.IntentAndWait(audit::Durability::kOnDisk));
  // Twice the patience, and what is left is for the answer.
  const absl::Duration left = call.deadline - edge_.parts().clock.Monotonic();
  const absl::Duration patience = std::clamp(left / 3, absl::ZeroDuration(), kSealPatience);
  return parts_.keeper.Seal(call.caller.name, patience, [this] { edge_.RecallCalls(); });
}

void OperatorService::AddTo(Methods& methods) {
  Serve<v1::GetStatusRequest, v1::GetStatusResponse>(
      methods, edge_, "/lmbroker.v1.OperatorService/GetStatus",
      [](const v1::GetStatusRequest&) -> absl::StatusOr<std::monostate> { return std::monostate{}; },
      [this](core::CallContext& call, std::monostate) -> absl::StatusOr<v1::GetStatusResponse> {
        RETURN_IF_ERROR(call.audit.IntentAndWait(audit::Durability::kFlushedSoon));
        return Status();
      },
      [](v1::GetStatusResponse status, v1::GetStatusResponse& out) { out = std::move(status); });
  Serve<v1::SealRequest, v1::SealResponse>(
      methods, edge_, "/lmbroker.v1.OperatorService/Seal",
      [](const v1::SealRequest&) -> absl::StatusOr<std::monostate> { return std::monostate{}; },
      [this](core::CallContext& call, std::monostate) { return Done(SealNow(call)); }, kWriteNothing);
  Serve<v1::UnsealRequest, v1::UnsealResponse>(
      methods, edge_, "/lmbroker.v1.OperatorService/Unseal",
      [](auto& request) -> absl::StatusOr<Secret> { return TakeSecret(*request.mutable_passphrase()); },
      [this](core::CallContext& call, const Secret& passphrase) -> absl::StatusOr<std::monostate> {
        RETURN_IF_ERROR(call.audit.IntentAndWait(audit::Durability::kOnDisk));
        return Done(parts_.keeper.Unseal(passphrase));
      },
      kWriteNothing);
  AddLeases(methods);
}

void OperatorService::AddLeases(Methods& methods) {
  const auto now = [this] { return edge_.parts().clock.Now(); };
  Serve<v1::ListLeasesRequest, v1::ListLeasesResponse>(
      methods, edge_, "/lmbroker.v1.OperatorService/ListLeases",
      [](const v1::ListLeasesRequest& request) { return FromProto(request); },
      [this](core::CallContext& call, const core::LeaseQuery& query) { return parts_.leases.List(call, query); },
      [now](core::LeasePage page, v1::ListLeasesResponse& out) { ToProto(std::move(page), now(), out); });
  Serve<v1::RevokeLeaseRequest, v1::Lease>(
      methods, edge_, "/lmbroker.v1.OperatorService/RevokeLease",
      [](const v1::RevokeLeaseRequest& request) { return TokenName::Parse(request.name(), "name"); },
      [this](core::CallContext& call, const TokenName& token) { return parts_.leases.Revoke(call, token); },
      [now](const store::LeaseRecord& lease, v1::Lease& out) { ToProto(lease, now(), out); });
}

}  // namespace lmbroker::rpc
