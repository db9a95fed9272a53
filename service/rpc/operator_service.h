#pragma once

#include <string>

#include <absl/time/time.h>

#include "lmbroker/v1/operator_service.pb.h"
#include "service/audit/audit_log.h"
#include "service/core/custody.h"
#include "service/core/key_keeper.h"
#include "service/core/lease_admin.h"
#include "service/core/portals.h"
#include "service/core/shadow_policy.h"
#include "service/http/portal_client.h"
#include "service/portal/budgets.h"
#include "service/portal/portal_health.h"
#include "service/rpc/edge.h"
#include "service/rpc/method.h"
#include "service/store/store.h"

namespace lmbroker::rpc {

// OperatorService: how the broker is doing, from those who know; whether it has its keys; the leases of its tokens.
class OperatorService final {
 public:
  struct Parts {
    std::string version;
    absl::Time start_time;
    const core::Portals& portals;
    const core::Custody& custody;
    const portal::Budgets& budgets;
    const portal::PortalHealths& healths;
    const http::PortalClient& client;
    const audit::AuditLog& audit;
    core::KeyKeeper& keeper;
    core::LeaseAdmin& leases;
    store::Store& store;
    const core::ShadowPolicy* shadow = nullptr;  // null: there is none
  };

  OperatorService(Edge& edge, Parts parts) : edge_(edge), parts_(std::move(parts)) {}

  void AddTo(Methods& methods);

 private:
  v1::GetStatusResponse Status() const;
  absl::Status SealNow(core::CallContext& call);
  void WritePortals(v1::GetStatusResponse& out) const;
  void AddLeases(Methods& methods);
  void WriteCredentials(v1::GetStatusResponse& out) const;
  v1::PortalStatus::MasterState MasterStateOf(const std::optional<CredentialName>& master) const;

  Edge& edge_;
  const Parts parts_;
};

}  // namespace lmbroker::rpc
