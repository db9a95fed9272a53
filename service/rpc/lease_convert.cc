#include "service/rpc/lease_convert.h"

#include <utility>

#include "service/base/status_macros.h"
#include "service/rpc/convert.h"

namespace lmbroker::rpc {
namespace {

v1::Lease::State StateOf(const store::LeaseRecord& lease, absl::Time now) {
  switch (lease.state) {
    case store::LeaseState::kActive:
      return now < lease.expire_time ? v1::Lease::ACTIVE : v1::Lease::EXPIRED;
    case store::LeaseState::kDisabled:
      return v1::Lease::DISABLED;
    case store::LeaseState::kStuck:
      return v1::Lease::STUCK;
  }
  return v1::Lease::STATE_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<core::LeaseQuery> FromProto(const v1::ListLeasesRequest& request) {
  ASSIGN_OR_RETURN(PortalName portal, PortalName::Parse(request.portal(), "portal"));
  ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  return core::LeaseQuery{.portal = std::move(portal),
                          .stuck_only = request.stuck_only(),
                          .page_size = page_size,
                          .page_token = request.page_token()};
}

void ToProto(const store::LeaseRecord& lease, absl::Time now, v1::Lease& out) {
  out.set_token(lease.token.ToString());
  ToProto(lease.expire_time, *out.mutable_expire_time());
  out.set_state(StateOf(lease, now));
  out.set_attempts(lease.attempts);
  out.set_last_error(lease.last_error);
  if (lease.disable_time.has_value()) ToProto(*lease.disable_time, *out.mutable_disable_time());
  ToProto(lease.next_time, *out.mutable_next_time());
}

void ToProto(core::LeasePage page, absl::Time now, v1::ListLeasesResponse& out) {
  for (const store::LeaseRecord& lease : page.leases) ToProto(lease, now, *out.add_leases());
  out.set_next_page_token(std::move(page.next_page_token));
}

}  // namespace lmbroker::rpc
