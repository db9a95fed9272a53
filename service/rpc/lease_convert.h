#pragma once

// The messages of leases ⇄ the core's values, field by field.

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "lmbroker/v1/operator_service.pb.h"
#include "service/core/lease_admin.h"
#include "service/store/records.h"

namespace lmbroker::rpc {

absl::StatusOr<core::LeaseQuery> FromProto(const v1::ListLeasesRequest& request);

// `now` tells a lease that has ended from one that has not.
void ToProto(const store::LeaseRecord& lease, absl::Time now, v1::Lease& out);
void ToProto(core::LeasePage page, absl::Time now, v1::ListLeasesResponse& out);

}  // namespace lmbroker::rpc
