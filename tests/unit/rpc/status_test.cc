#include "service/rpc/status.h"

#include <string>

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "service/base/error.h"

namespace lmbroker::rpc {
namespace {

using testing::HasSubstr;
using testing::Not;

google::rpc::Status DetailsOf(const WireStatus& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.details));
  return details;
}

template <class Message>
Message Find(const google::rpc::Status& details) {
  Message message;
  for (const auto& any : details.details()) {
    if (any.UnpackTo(&message)) return message;
  }
  ADD_FAILURE() << "no " << Message::descriptor()->full_name();
  return message;
}

TEST(StatusTest, RefusalCarriesReasonFieldRetryAndRequestId) {
  const WireStatus status =
      ToWire(Refuse(Reason::kFieldInvalid, "`note` is too long.",
                    {.metadata = {{"limit", "1024"}}, .field = "token.note", .retry_after = absl::Milliseconds(1500)}),
             "id-1");
  EXPECT_EQ(status.code, 3);
  EXPECT_EQ(status.message, "`note` is too long.");
  const google::rpc::Status details = DetailsOf(status);
  EXPECT_EQ(details.code(), 3);
  const auto info = Find<google::rpc::ErrorInfo>(details);
  EXPECT_EQ(info.reason(), "FIELD_INVALID");
  EXPECT_EQ(info.domain(), "lmbroker");
  EXPECT_EQ(info.metadata().at("limit"), "1024");
  EXPECT_EQ(Find<google::rpc::BadRequest>(details).field_violations(0).field(), "token.note");
  const auto retry = Find<google::rpc::RetryInfo>(details);
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
  EXPECT_EQ(Find<google::rpc::RequestInfo>(details).request_id(), "id-1");
}

TEST(StatusTest, DefectTellsTheRequestIdAndNothingElse) {
  const WireStatus status = ToWire(absl::DataLossError("sqlite: /var/lib/x: key 17 is bad"), "id-2");
  EXPECT_EQ(status.code, 13);
  EXPECT_THAT(status.message, HasSubstr("id-2"));
  EXPECT_THAT(status.message, Not(HasSubstr("sqlite")));
  EXPECT_EQ(Find<google::rpc::ErrorInfo>(DetailsOf(status)).reason(), "INTERNAL");
}

TEST(StatusTest, OkAndCancelledHaveNoDetails) {
  EXPECT_TRUE(ToWire(absl::OkStatus(), "id").ok());
  const WireStatus status = ToWire(Cancelled(), "id");
  EXPECT_EQ(status.code, 1);
  EXPECT_TRUE(status.details.empty());
}

TEST(StatusTest, CodeNamesAreThoseOfGrpc) {
  EXPECT_EQ(CodeName(absl::StatusCode::kOk), "OK");
  EXPECT_EQ(CodeName(absl::StatusCode::kPermissionDenied), "PERMISSION_DENIED");
  EXPECT_EQ(CodeName(absl::StatusCode::kUnauthenticated), "UNAUTHENTICATED");
}

}  // namespace
}  // namespace lmbroker::rpc
