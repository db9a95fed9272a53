#include "service/base/error.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <absl/time/time.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "service/base/text.h"

namespace lmbroker {
namespace {

using absl::StatusCode;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

struct Row {
  Reason reason;
  std::string_view name;
  StatusCode code;
};

// The table of the contract, section 3, typed a second time: names and codes that callers rely on.
const Row kContract[] = {
    {Reason::kNoIdentity, "NO_IDENTITY", StatusCode::kUnauthenticated},
    {Reason::kBadToken, "BAD_TOKEN", StatusCode::kUnauthenticated},
    {Reason::kNoGrant, "NO_GRANT", StatusCode::kPermissionDenied},
    {Reason::kSecretEndpoint, "SECRET_ENDPOINT", StatusCode::kPermissionDenied},
    {Reason::kAccountEndpoint, "ACCOUNT_ENDPOINT", StatusCode::kPermissionDenied},
    {Reason::kHandOverNotGranted, "HAND_OVER_NOT_GRANTED", StatusCode::kPermissionDenied},
    {Reason::kFrozen, "FROZEN", StatusCode::kPermissionDenied},
    {Reason::kPortalDenied, "PORTAL_DENIED", StatusCode::kPermissionDenied},
    {Reason::kFieldInvalid, "FIELD_INVALID", StatusCode::kInvalidArgument},
    {Reason::kPathNotPlain, "PATH_NOT_PLAIN", StatusCode::kInvalidArgument},
    {Reason::kHeaderNotAllowed, "HEADER_NOT_ALLOWED", StatusCode::kInvalidArgument},
    {Reason::kFieldImmutable, "FIELD_IMMUTABLE", StatusCode::kInvalidArgument},
    {Reason::kPortalRejected, "PORTAL_REJECTED", StatusCode::kInvalidArgument},
    {Reason::kUnknownPortal, "UNKNOWN_PORTAL", StatusCode::kNotFound},
    {Reason::kUnknownCredential, "UNKNOWN_CREDENTIAL", StatusCode::kNotFound},
    {Reason::kUnknownToken, "UNKNOWN_TOKEN", StatusCode::kNotFound},
    {Reason::kUnknownAdmin, "UNKNOWN_ADMIN", StatusCode::kNotFound},
    {Reason::kCredentialExists, "CREDENTIAL_EXISTS", StatusCode::kAlreadyExists},
    {Reason::kRequestIdReused, "REQUEST_ID_REUSED", StatusCode::kAlreadyExists},
    {Reason::kPortalConflict, "PORTAL_CONFLICT", StatusCode::kAlreadyExists},
    {Reason::kCredentialDisabled, "CREDENTIAL_DISABLED", StatusCode::kFailedPrecondition},
    {Reason::kCredentialQuarantined, "CREDENTIAL_QUARANTINED", StatusCode::kFailedPrecondition},
    {Reason::kNoMaster, "NO_MASTER", StatusCode::kFailedPrecondition},
    {Reason::kMasterRefused, "MASTER_REFUSED", StatusCode::kFailedPrecondition},
    {Reason::kNotInCustody, "NOT_IN_CUSTODY", StatusCode::kFailedPrecondition},
    {Reason::kSecretAlreadyHandedOver, "SECRET_ALREADY_HANDED_OVER", StatusCode::kFailedPrecondition},
    {Reason::kSealed, "SEALED", StatusCode::kFailedPrecondition},
    {Reason::kBudgetExhausted, "BUDGET_EXHAUSTED", StatusCode::kResourceExhausted},
    {Reason::kCallerLimit, "CALLER_LIMIT", StatusCode::kResourceExhausted},
    {Reason::kQueueFull, "QUEUE_FULL", StatusCode::kResourceExhausted},
    {Reason::kBodyTooLarge, "BODY_TOO_LARGE", StatusCode::kResourceExhausted},
    {Reason::kReplyTooLarge, "REPLY_TOO_LARGE", StatusCode::kResourceExhausted},
    {Reason::kTooManyTokens, "TOO_MANY_TOKENS", StatusCode::kResourceExhausted},
    {Reason::kDeadline, "DEADLINE", StatusCode::kDeadlineExceeded},
    {Reason::kDeadlineTooShort, "DEADLINE_TOO_SHORT", StatusCode::kDeadlineExceeded},
    {Reason::kPortalUnreachable, "PORTAL_UNREACHABLE", StatusCode::kUnavailable},
    {Reason::kBreakerOpen, "BREAKER_OPEN", StatusCode::kUnavailable},
    {Reason::kPortalError, "PORTAL_ERROR", StatusCode::kUnavailable},
    {Reason::kAuditUnavailable, "AUDIT_UNAVAILABLE", StatusCode::kUnavailable},
    {Reason::kStoreUnavailable, "STORE_UNAVAILABLE", StatusCode::kUnavailable},
    {Reason::kDraining, "DRAINING", StatusCode::kUnavailable},
    {Reason::kOutcomeUnknown, "OUTCOME_UNKNOWN", StatusCode::kUnknown},
    {Reason::kInternal, "INTERNAL", StatusCode::kInternal},
};

// The detail of type `Message` that gRPC would send with the status.
template <class Message>
std::optional<Message> Detail(const absl::Status& status) {
  const std::string url = "type.googleapis.com/" + std::string(Message::descriptor()->full_name());
  const auto payload = status.GetPayload(url);
  Message message;
  if (!payload.has_value() || !message.ParseFromString(std::string(*payload))) return std::nullopt;
  return message;
}

// Law 9: every refusal says who refused and why.
TEST(LawTest, EveryRefusalSaysWhoRefusedAndWhy) {
  std::set<std::string_view> names;
  for (const Row& row : kContract) {
    const absl::Status status = Refuse(row.reason, "A sentence.");
    EXPECT_EQ(status.code(), row.code) << row.name;
    EXPECT_EQ(ToStd(status.message()), "A sentence.");
    const auto info = Detail<google::rpc::ErrorInfo>(status);
    ASSERT_TRUE(info.has_value()) << row.name;
    EXPECT_EQ(info->domain(), "lmbroker");
    EXPECT_EQ(info->reason(), row.name);
    EXPECT_EQ(ReasonName(row.reason), row.name);
    EXPECT_EQ(CodeOf(row.reason), row.code);
    EXPECT_EQ(ReasonOf(status), row.reason);
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Reason::kInternal) + 1) << "a reason is missing in this test";
}

TEST(ErrorTest, MetadataFieldAndRetryBecomeDetails) {
  const absl::Status status = Refuse(Reason::kDeadlineTooShort, "Wait.",
                                     {.metadata = {{"limit", "100"}, {"token", "portals/acme/admins/1/tokens/2"}},
                                      .field = "query[3].name",
                                      .retry_after = absl::Milliseconds(1500)});
  EXPECT_THAT(MetadataOf(status),
              UnorderedElementsAre(Pair("limit", "100"), Pair("token", "portals/acme/admins/1/tokens/2"),
                                   Pair("field", "query[3].name")));
  const auto bad_request = Detail<google::rpc::BadRequest>(status);
  ASSERT_TRUE(bad_request.has_value());
  ASSERT_EQ(bad_request->field_violations_size(), 1);
  EXPECT_EQ(bad_request->field_violations(0).field(), "query[3].name");
  EXPECT_EQ(bad_request->field_violations(0).description(), "Wait.");
  const auto retry = Detail<google::rpc::RetryInfo>(status);
  ASSERT_TRUE(retry.has_value());
  EXPECT_EQ(retry->retry_delay().seconds(), 1);
  EXPECT_EQ(retry->retry_delay().nanos(), 500'000'000);
}

TEST(ErrorTest, DetailsThatWereNotGivenAreAbsent) {
  const absl::Status status = Refuse(Reason::kNoGrant, "No.");
  EXPECT_FALSE(Detail<google::rpc::BadRequest>(status).has_value());
  EXPECT_FALSE(Detail<google::rpc::RetryInfo>(status).has_value());
  EXPECT_THAT(MetadataOf(status), IsEmpty());
}

TEST(ErrorTest, FieldInvalidNamesTheField) {
  const absl::Status status = FieldInvalid("page_size", "must not be negative");
  EXPECT_TRUE(IsRefusal(status, Reason::kFieldInvalid));
  EXPECT_EQ(ToStd(status.message()), "`page_size` must not be negative.");
  EXPECT_EQ(MetadataOf(status)["field"], "page_size");
}

TEST(ErrorTest, OtherStatusesHaveNoReason) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(ReasonOf(Cancelled()), std::nullopt);
  EXPECT_EQ(Cancelled().code(), StatusCode::kCancelled);
  EXPECT_EQ(ReasonOf(absl::NotFoundError("elsewhere")), std::nullopt);
  EXPECT_THAT(MetadataOf(absl::NotFoundError("elsewhere")), IsEmpty());
  EXPECT_FALSE(IsRefusal(absl::OkStatus(), Reason::kInternal));
}

TEST(ErrorTest, ForeignOrBrokenDetailsAreNoReason) {
  google::rpc::ErrorInfo info;
  info.set_domain("another.example");
  info.set_reason("NO_GRANT");
  absl::Status status = absl::PermissionDeniedError("no");
  status.SetPayload("type.googleapis.com/google.rpc.ErrorInfo", absl::Cord(info.SerializeAsString()));
  EXPECT_EQ(ReasonOf(status), std::nullopt);
  info.set_domain("lmbroker");
  info.set_reason("OF_A_LATER_VERSION");
  status.SetPayload("type.googleapis.com/google.rpc.ErrorInfo", absl::Cord(info.SerializeAsString()));
  EXPECT_EQ(ReasonOf(status), std::nullopt);
  status.SetPayload("type.googleapis.com/google.rpc.ErrorInfo", absl::Cord("\xff\xff"));
  EXPECT_EQ(ReasonOf(status), std::nullopt);
  info.set_reason("NO_GRANT");
  const std::string whole = info.SerializeAsString();
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    status.SetPayload("type.googleapis.com/google.rpc.ErrorInfo", absl::Cord(whole.substr(0, size)));
    EXPECT_EQ(ReasonOf(status).has_value(), size == whole.size()) << size;
  }
}

}  // namespace
}  // namespace lmbroker
