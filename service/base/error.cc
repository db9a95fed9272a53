#include "service/base/error.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include <absl/strings/cord.h>
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>

#include "google/rpc/error_details.pb.h"
#include "service/base/text.h"

namespace lmbroker {
namespace {

struct ReasonRow {
  Reason reason;
  std::string_view name;
  absl::StatusCode code;
};

using absl::StatusCode;
using enum Reason;

// In the order of the enumeration; the test walks it.
constexpr std::array kReasons = {
    ReasonRow{kNoIdentity, "NO_IDENTITY", StatusCode::kUnauthenticated},
    ReasonRow{kBadToken, "BAD_TOKEN", StatusCode::kUnauthenticated},
    ReasonRow{kNoGrant, "NO_GRANT", StatusCode::kPermissionDenied},
    ReasonRow{kSecretEndpoint, "SECRET_ENDPOINT", StatusCode::kPermissionDenied},
    ReasonRow{kAccountEndpoint, "ACCOUNT_ENDPOINT", StatusCode::kPermissionDenied},
    ReasonRow{kHandOverNotGranted, "HAND_OVER_NOT_GRANTED", StatusCode::kPermissionDenied},
    ReasonRow{kFrozen, "FROZEN", StatusCode::kPermissionDenied},
    ReasonRow{kPortalDenied, "PORTAL_DENIED", StatusCode::kPermissionDenied},
    ReasonRow{kFieldInvalid, "FIELD_INVALID", StatusCode::kInvalidArgument},
    ReasonRow{kPathNotPlain, "PATH_NOT_PLAIN", StatusCode::kInvalidArgument},
    ReasonRow{kHeaderNotAllowed, "HEADER_NOT_ALLOWED", StatusCode::kInvalidArgument},
    ReasonRow{kFieldImmutable, "FIELD_IMMUTABLE", StatusCode::kInvalidArgument},
    ReasonRow{kPortalRejected, "PORTAL_REJECTED", StatusCode::kInvalidArgument},
    ReasonRow{kUnknownPortal, "UNKNOWN_PORTAL", StatusCode::kNotFound},
    ReasonRow{kUnknownCredential, "UNKNOWN_CREDENTIAL", StatusCode::kNotFound},
    ReasonRow{kUnknownToken, "UNKNOWN_TOKEN", StatusCode::kNotFound},
    ReasonRow{kUnknownAdmin, "UNKNOWN_ADMIN", StatusCode::kNotFound},
    ReasonRow{kCredentialExists, "CREDENTIAL_EXISTS", StatusCode::kAlreadyExists},
    ReasonRow{kRequestIdReused, "REQUEST_ID_REUSED", StatusCode::kAlreadyExists},
    ReasonRow{kPortalConflict, "PORTAL_CONFLICT", StatusCode::kAlreadyExists},
    ReasonRow{kCredentialDisabled, "CREDENTIAL_DISABLED", StatusCode::kFailedPrecondition},
    ReasonRow{kCredentialQuarantined, "CREDENTIAL_QUARANTINED", StatusCode::kFailedPrecondition},
    ReasonRow{kNoMaster, "NO_MASTER", StatusCode::kFailedPrecondition},
    ReasonRow{kMasterRefused, "MASTER_REFUSED", StatusCode::kFailedPrecondition},
    ReasonRow{kNotInCustody, "NOT_IN_CUSTODY", StatusCode::kFailedPrecondition},
    ReasonRow{kSecretAlreadyHandedOver, "SECRET_ALREADY_HANDED_OVER", StatusCode::kFailedPrecondition},
    ReasonRow{kSealed, "SEALED", StatusCode::kFailedPrecondition},
    ReasonRow{kBudgetExhausted, "BUDGET_EXHAUSTED", StatusCode::kResourceExhausted},
    ReasonRow{kCallerLimit, "CALLER_LIMIT", StatusCode::kResourceExhausted},
    ReasonRow{kQueueFull, "QUEUE_FULL", StatusCode::kResourceExhausted},
    ReasonRow{kBodyTooLarge, "BODY_TOO_LARGE", StatusCode::kResourceExhausted},
    ReasonRow{kReplyTooLarge, "REPLY_TOO_LARGE", StatusCode::kResourceExhausted},
    ReasonRow{kTooManyTokens, "TOO_MANY_TOKENS", StatusCode::kResourceExhausted},
    ReasonRow{kDeadline, "DEADLINE", StatusCode::kDeadlineExceeded},
    ReasonRow{kDeadlineTooShort, "DEADLINE_TOO_SHORT", StatusCode::kDeadlineExceeded},
    ReasonRow{kPortalUnreachable, "PORTAL_UNREACHABLE", StatusCode::kUnavailable},
    ReasonRow{kBreakerOpen, "BREAKER_OPEN", StatusCode::kUnavailable},
    ReasonRow{kPortalError, "PORTAL_ERROR", StatusCode::kUnavailable},
    ReasonRow{kAuditUnavailable, "AUDIT_UNAVAILABLE", StatusCode::kUnavailable},
    ReasonRow{kStoreUnavailable, "STORE_UNAVAILABLE", StatusCode::kUnavailable},
    ReasonRow{kDraining, "DRAINING", StatusCode::kUnavailable},
    ReasonRow{kOutcomeUnknown, "OUTCOME_UNKNOWN", StatusCode::kUnknown},
    ReasonRow{kInternal, "INTERNAL", StatusCode::kInternal},
};

constexpr std::uint32_t kLengthDelimited = 2;  // protobuf's wire type of texts and messages
constexpr std::string_view kErrorInfoUrl = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr std::string_view kBadRequestUrl = "type.googleapis.com/google.rpc.BadRequest";
constexpr std::string_view kRetryInfoUrl = "type.googleapis.com/google.rpc.RetryInfo";

const ReasonRow& Row(Reason reason) { return kReasons.at(static_cast<std::size_t>(reason)); }

void Attach(absl::Status& status, std::string_view url, const google::protobuf::Message& message) {
  status.SetPayload(ToAbsl(url), absl::Cord(message.SerializeAsString()));
}

std::optional<google::rpc::ErrorInfo> ErrorInfoOf(const absl::Status& status) {
  const auto payload = status.GetPayload(ToAbsl(kErrorInfoUrl));
  google::rpc::ErrorInfo info;
  if (!payload.has_value() || !info.ParseFromString(std::string(*payload)) || info.domain() != kErrorDomain) {
    return std::nullopt;
  }
  return info;
}

}  // namespace

std::string_view ReasonName(Reason reason) { return Row(reason).name; }

absl::StatusCode CodeOf(Reason reason) { return Row(reason).code; }

absl::Status Refuse(Reason reason, std::string_view message, RefusalDetails details) {
  absl::Status status(CodeOf(reason), ToAbsl(message));
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(ReasonName(reason)));
  info.set_domain(std::string(kErrorDomain));
  info.mutable_metadata()->insert(details.metadata.begin(), details.metadata.end());
  if (!details.field.empty()) (*info.mutable_metadata())["field"] = details.field;
  Attach(status, kErrorInfoUrl, info);
  if (!details.field.empty()) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(details.field);
    violation->set_description(std::string(message));
    Attach(status, kBadRequestUrl, bad_request);
  }
  if (details.retry_after.has_value()) {
    google::rpc::RetryInfo retry;
    const absl::Duration delay = *details.retry_after;
    retry.mutable_retry_delay()->set_seconds(absl::ToInt64Seconds(delay));
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int>(absl::ToInt64Nanoseconds(delay - absl::Seconds(absl::ToInt64Seconds(delay)))));
    Attach(status, kRetryInfoUrl, retry);
  }
  return status;
}

absl::Status FieldInvalid(std::string_view field, std::string_view problem) {
  return Refuse(Reason::kFieldInvalid, fmt::format("`{}` {}.", field, problem), {.field = std::string(field)});
}

absl::Status Cancelled() { return absl::CancelledError("The caller gave up."); }

// Asked several times of every refusal, and strangers can make floods of those: reads two texts, and no map.
std::optional<Reason> ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(ToAbsl(kErrorInfoUrl));
  if (!payload.has_value()) return std::nullopt;
  const std::string bytes(*payload);
  std::string reason;
  std::string domain;
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                               static_cast<int>(bytes.size()));
  while (const std::uint32_t tag = input.ReadTag()) {
    std::uint32_t size = 0;
    if ((tag & 7U) != kLengthDelimited || !input.ReadVarint32(&size)) return std::nullopt;  // ErrorInfo has no other
    const auto bytes_of_field = static_cast<int>(size);
    const std::uint32_t field = tag >> 3U;
    const bool read = field == google::rpc::ErrorInfo::kReasonFieldNumber   ? input.ReadString(&reason, bytes_of_field)
                      : field == google::rpc::ErrorInfo::kDomainFieldNumber ? input.ReadString(&domain, bytes_of_field)
                                                                            : input.Skip(bytes_of_field);
    if (!read) return std::nullopt;
  }
  if (domain != kErrorDomain) return std::nullopt;
  for (const ReasonRow& row : kReasons) {
    if (row.name == reason) return row.reason;
  }
  return std::nullopt;
}

bool IsRefusal(const absl::Status& status, Reason reason) { return ReasonOf(status) == reason; }

std::map<std::string, std::string> MetadataOf(const absl::Status& status) {
  const auto info = ErrorInfoOf(status);
  if (!info.has_value()) return {};
  return {info->metadata().begin(), info->metadata().end()};
}

std::map<std::string, std::string> WithCause(const absl::Status& cause) {
  auto metadata = MetadataOf(cause);
  metadata.erase("field");
  if (const auto reason = ReasonOf(cause); reason.has_value()) metadata.try_emplace("cause", ReasonName(*reason));
  return metadata;
}

}  // namespace lmbroker
