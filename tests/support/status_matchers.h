#pragma once

// Matchers for absl::Status and StatusOr, with the names and meaning of newer Abseil (absl/status/status_matchers.h),
// and one for refusals.

#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <gmock/gmock.h>

#include "google/rpc/error_details.pb.h"
#include "service/base/error.h"

namespace lmbroker {

inline absl::Status StatusOf(const absl::Status& status) { return status; }
template <class T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return arg.ok();
}

MATCHER_P(StatusIs, code, "has status " + absl::StatusCodeToString(code)) {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code;
}

MATCHER_P2(StatusIs, code, message, "has status " + absl::StatusCodeToString(code) + " and a certain message") {
  const absl::Status status = StatusOf(arg);
  *result_listener << status.ToString();
  return status.code() == code && testing::ExplainMatchResult(message, std::string(status.message()), result_listener);
}

// The refusal `reason`, with the gRPC code that belongs to it.
MATCHER_P(RefusedWith, reason, "is refused with " + std::string(ReasonName(reason))) {
  *result_listener << StatusOf(arg).ToString();
  return IsRefusal(StatusOf(arg), reason) && StatusOf(arg).code() == CodeOf(reason);
}

// After what time a refusal says that a retry can succeed; infinite when it does not say.
inline absl::Duration RetryDelayOf(const absl::Status& status) {
  const auto payload = status.GetPayload("type.googleapis.com/google.rpc.RetryInfo");
  google::rpc::RetryInfo retry;
  if (!payload.has_value() || !retry.ParseFromString(std::string(*payload))) return absl::InfiniteDuration();
  return absl::Seconds(retry.retry_delay().seconds()) + absl::Nanoseconds(retry.retry_delay().nanos());
}

MATCHER_P(IsOkAndHolds, value, "is OK and holds a certain value") {
  *result_listener << StatusOf(arg).ToString();
  return arg.ok() && testing::ExplainMatchResult(value, *arg, result_listener);
}

}  // namespace lmbroker
