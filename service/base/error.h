#pragma once

// Every refusal of the broker, built in one place (contract, section 3). A refusal is an absl::Status whose payloads
// are google.rpc messages under the type URLs that gRPC uses for status details, so the edge copies them as they are.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

namespace lmbroker {

inline constexpr std::string_view kErrorDomain = "lmbroker";

// The stable reason codes of the API. Each belongs to one gRPC code (see CodeOf). Only add; never rename or reuse.
enum class Reason {
  kNoIdentity,
  kBadToken,
  kNoGrant,
  kSecretEndpoint,
  kAccountEndpoint,
  kHandOverNotGranted,
  kFrozen,
  kPortalDenied,
  kFieldInvalid,
  kPathNotPlain,
  kHeaderNotAllowed,
  kFieldImmutable,
  kPortalRejected,
  kUnknownPortal,
  kUnknownCredential,
  kUnknownToken,
  kUnknownAdmin,
  kCredentialExists,
  kRequestIdReused,
  kPortalConflict,
  kCredentialDisabled,
  kCredentialQuarantined,
  kNoMaster,
  kMasterRefused,
  kNotInCustody,
  kSecretAlreadyHandedOver,
  kSealed,
  kBudgetExhausted,
  kCallerLimit,
  kQueueFull,
  kBodyTooLarge,
  kReplyTooLarge,
  kTooManyTokens,
  kDeadline,
  kDeadlineTooShort,
  kPortalUnreachable,
  kBreakerOpen,
  kPortalError,
  kAuditUnavailable,
  kStoreUnavailable,
  kDraining,
  kOutcomeUnknown,
  kInternal,
};

// "NO_GRANT" and so on, as callers see it.
std::string_view ReasonName(Reason reason);

// The gRPC code that a reason belongs to.
absl::StatusCode CodeOf(Reason reason);

// What a refusal may carry beside its sentence.
struct RefusalDetails {
  std::map<std::string, std::string> metadata;  // facts that a program may need; values bounded and safe to show
  std::string field;                            // the request field at fault, as a proto path: "query[3].name"
  std::optional<absl::Duration> retry_after;    // a retry after this long can succeed
};

// A refusal. `message` is one sentence for a person: what was refused, by whom, and what to do next.
absl::Status Refuse(Reason reason, std::string_view message, RefusalDetails details = {});

// FIELD_INVALID on `field`; `problem` completes "`field` …", e.g. "must be 1 to 100".
absl::Status FieldInvalid(std::string_view field, std::string_view problem);

// CANCELLED: the caller gave up. The one non-OK status without a reason, since nobody reads it.
absl::Status Cancelled();

// The reason of a refusal; nothing for OK, CANCELLED and for statuses that Refuse did not make.
std::optional<Reason> ReasonOf(const absl::Status& status);

// Whether `status` is a refusal with `reason`.
bool IsRefusal(const absl::Status& status, Reason reason);

// The metadata of a refusal, empty when there is none.
std::map<std::string, std::string> MetadataOf(const absl::Status& status);

// The metadata of a refusal that another one is about, with its reason as `cause`.
std::map<std::string, std::string> WithCause(const absl::Status& cause);

}  // namespace lmbroker
