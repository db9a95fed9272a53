#include "client/refusal.h"

#include <string_view>

#include <absl/strings/cord.h>
#include <absl/strings/string_view.h>

#include "google/rpc/error_details.pb.h"

namespace lmbroker::client {
namespace {

constexpr std::string_view kDomain = "lmbroker";

// The error detail of type `Message`; nothing when the status has none or it does not parse.
template <class Message>
std::optional<Message> Detail(const absl::Status& status) {
  const auto payload = status.GetPayload("type.googleapis.com/" + Message::descriptor()->full_name());
  Message message;
  if (!payload.has_value() || !message.ParseFromString(std::string(*payload))) return std::nullopt;
  return message;
}

}  // namespace

std::optional<Refusal> RefusalOf(const absl::Status& status) {
  const auto info = Detail<google::rpc::ErrorInfo>(status);
  if (!info.has_value() || info->domain() != kDomain) return std::nullopt;
  Refusal refusal{.code = status.code(),
                  .reason = info->reason(),
                  .message = std::string(status.message()),
                  .metadata = {info->metadata().begin(), info->metadata().end()},
                  .retry_after = std::nullopt,
                  .request_id = ""};
  if (const auto retry = Detail<google::rpc::RetryInfo>(status)) {
    refusal.retry_after =
        absl::Seconds(retry->retry_delay().seconds()) + absl::Nanoseconds(retry->retry_delay().nanos());
  }
  if (const auto request = Detail<google::rpc::RequestInfo>(status)) refusal.request_id = request->request_id();
  return refusal;
}

}  // namespace lmbroker::client
