#include "service/rpc/edge.h"

#include <memory>
#include <optional>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_random.h"
#include "tests/fakes/recording_audit_log.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::rpc {
namespace {

class EdgeTest : public testing::Test {
 protected:
  FakeClock clock_;
  FakeRandom random_;
  core::PolicyHolder policy_{std::make_shared<const policy::Engine>(std::make_shared<const policy::Policy>())};
  identity::Standing standing_{clock_};
  audit::RecordingAuditLog audit_;
  audit::RefusalLimiter refusals_{audit_, clock_};
  Executor workers_{{.threads = 1, .most_queued = 1}};
  std::ostringstream log_;
  Logger logger_{{}, log_};
  Metrics metrics_{{.version = "test"}};
  ByteBudget memory_{1000};
  Edge edge_{{.clock = clock_,
              .random = random_,
              .policy = policy_,
              .tokens = nullptr,
              .standing = standing_,
              .audit = audit_,
              .refusals = refusals_,
              .local_workers = workers_,
              .portal_workers = workers_,
              .logger = logger_,
              .metrics = metrics_,
              .memory = memory_},
             {}};
  grpc::CallbackServerContext context_;
};

TEST_F(EdgeTest, AMethodThatIsNotInTheTableIsRefused) {
  Call call(edge_, "/lmbroker.v1.TokenService/StealToken", context_);
  const absl::Status admitted = call.Admit();
  EXPECT_THAT(admitted, RefusedWith(Reason::kInternal));
  EXPECT_EQ(call.End(admitted).error_code(), grpc::StatusCode::INTERNAL);
}

TEST_F(EdgeTest, ACallWithoutACertificateHasNoIdentity) {
  Call call(edge_, "/lmbroker.v1.OperatorService/GetStatus", context_);
  const absl::Status admitted = call.Admit();
  EXPECT_THAT(admitted, RefusedWith(Reason::kNoIdentity));
  EXPECT_EQ(call.End(admitted).error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(EdgeTest, ARefusedCallIsAPairInTheAudit) {
  {
    Call call(edge_, "/lmbroker.v1.OperatorService/GetStatus", context_);
    call.End(call.Admit());
  }
  const auto records = audit_.records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].kind, audit::Kind::kIntent);
  EXPECT_EQ(records[1].kind, audit::Kind::kOutcome);
  EXPECT_EQ(records[0].id, records[1].id);
  EXPECT_EQ(records[1].reason, "NO_IDENTITY");
  EXPECT_EQ(records[1].code, "UNAUTHENTICATED");
  EXPECT_EQ(records[1].method, "/lmbroker.v1.OperatorService/GetStatus");
}

TEST_F(EdgeTest, ACallWithoutADeadlineGetsThirtySeconds) {
  Call call(edge_, "/lmbroker.v1.OperatorService/GetStatus", context_);
  EXPECT_EQ(call.context().deadline, clock_.Monotonic() + absl::Seconds(30));
  call.End(Cancelled());
}

TEST_F(EdgeTest, ARequestWithoutRoomIsRefusedAndOneThatEndsMakesRoom) {
  std::optional<Call> first;
  first.emplace(edge_, "/lmbroker.v1.ForwardService/Forward", context_);
  EXPECT_THAT(first->HoldRequest(900), IsOk());
  {
    Call second(edge_, "/lmbroker.v1.ForwardService/Forward", context_);
    const absl::Status refused = second.HoldRequest(101);
    EXPECT_THAT(refused, RefusedWith(Reason::kQueueFull));
    second.End(refused);
  }
  EXPECT_EQ(memory_.taken(), 900U);
  first->End(absl::OkStatus());
  EXPECT_EQ(memory_.taken(), 900U);  // gRPC has not written the answer yet
  first.reset();
  EXPECT_EQ(memory_.taken(), 0U);
}

// Law 4, should a handler forget it.
TEST_F(EdgeTest, ASuccessThatWasNotAuditedIsARefusal) {
  {
    Call call(edge_, "/lmbroker.v1.OperatorService/GetStatus", context_);
    EXPECT_EQ(call.End(absl::OkStatus()).error_code(), grpc::StatusCode::INTERNAL);
  }
  EXPECT_EQ(audit_.records().back().reason, "INTERNAL");
  Call audited(edge_, "/lmbroker.v1.OperatorService/GetStatus", context_);
  EXPECT_THAT(audited.context().audit.IntentAndWait(audit::Durability::kFlushedSoon), IsOk());
  EXPECT_TRUE(audited.End(absl::OkStatus()).ok());
}

TEST_F(EdgeTest, ACancelledCallStopsItsWork) {
  Call call(edge_, "/lmbroker.v1.OperatorService/GetStatus", context_);
  EXPECT_FALSE(call.context().cancelled.stop_requested());
  call.Cancel();
  EXPECT_TRUE(call.context().cancelled.stop_requested());
  EXPECT_EQ(call.End(Cancelled()).error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace lmbroker::rpc
