#include "service/rpc/status.h"

#include <array>
#include <cstddef>
#include <string>

#include <absl/strings/cord.h>
#include <absl/strings/string_view.h>
#include <fmt/format.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "service/base/error.h"

namespace lmbroker::rpc {
namespace {

// By gRPC's numbers, which Abseil shares.
constexpr std::array<std::string_view, 17> kCodeNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

}  // namespace

std::string_view CodeName(absl::StatusCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kCodeNames.size() ? kCodeNames.at(index) : "UNKNOWN";
}

WireStatus ToWire(const absl::Status& status, std::string_view request_id) {
  if (status.ok()) return {};
  if (absl::IsCancelled(status))
    return {.code = static_cast<int>(status.code()), .message = std::string(status.message())};
  if (!ReasonOf(status).has_value()) {
    return ToWire(Refuse(Reason::kInternal, fmt::format("The broker failed; report request id {}.", request_id)),
                  request_id);
  }
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(std::string(status.message()));
  status.ForEachPayload([&](absl::string_view type_url, const absl::Cord& payload) {
    auto* detail = details.add_details();
    detail->set_type_url(std::string(type_url));
    detail->set_value(std::string(payload));
  });
  google::rpc::RequestInfo request;
  request.set_request_id(std::string(request_id));
  details.add_details()->PackFrom(request);
  return {.code = details.code(), .message = details.message(), .details = details.SerializeAsString()};
}

}  // namespace lmbroker::rpc
