#include "service/rpc/edge.h"

#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/identity/revocations.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_random.h"
#include "tests/fakes/fake_scheduler.h"
#include "tests/fakes/recording_audit_log.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::rpc {
namespace {

constexpr std::string_view kForward = "/lmbroker.v1.ForwardService/Forward";       // waits without a thread
constexpr std::string_view kGetToken = "/lmbroker.v1.TokenService/GetToken";       // waits for a portal
constexpr std::string_view kListGrants = "/lmbroker.v1.PolicyService/ListGrants";  // needs no key
constexpr std::string_view kGetStatus = "/lmbroker.v1.OperatorService/GetStatus";  // for operators

class CountedStream final : public CallStream {
 public:
  void CutStream() override { ++cuts; }
  int cuts = 0;
};

class EdgeTest : public testing::Test {
 protected:
  Incoming From(std::vector<std::string> identities, std::optional<absl::Duration> timeout = std::nullopt) const {
    return {.peer = std::make_shared<const Peer>(
                Peer{.address = "ipv4:127.0.0.1:40000", .identities = std::move(identities)}),
            .arrival = clock_.Monotonic(),
            .timeout = timeout};
  }
  Incoming FromNobody(std::optional<absl::Duration> timeout = std::nullopt) const { return From({}, timeout); }

  void Revoke(const std::string& identity) {
    Issues issues("revoked.yaml");
    standing_.Put(identity::Revocations::Parse("identities: [\"" + identity + "\"]", issues));
    ASSERT_TRUE(issues.empty());
  }

  FakeClock clock_;
  FakeScheduler scheduler_{clock_};
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
              .scheduler = scheduler_,
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
  CountedStream stream_;
};

TEST_F(EdgeTest, AMethodThatIsNotInTheTableIsRefused) {
  Call call(edge_, "/lmbroker.v1.TokenService/StealToken", FromNobody(), stream_);
  const absl::Status admitted = call.Admit();
  EXPECT_THAT(admitted, RefusedWith(Reason::kInternal));
  EXPECT_EQ(call.End(admitted).code, static_cast<int>(absl::StatusCode::kInternal));
}

TEST_F(EdgeTest, ACallWithoutACertificateHasNoIdentity) {
  Call call(edge_, kGetStatus, FromNobody(), stream_);
  const absl::Status admitted = call.Admit();
  EXPECT_THAT(admitted, RefusedWith(Reason::kNoIdentity));
  EXPECT_EQ(call.End(admitted).code, static_cast<int>(absl::StatusCode::kUnauthenticated));
}

TEST_F(EdgeTest, ARefusedCallIsAPairInTheAudit) {
  {
    Call call(edge_, kGetStatus, FromNobody(), stream_);
    call.End(call.Admit());
  }
  const auto records = audit_.records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].kind, audit::Kind::kIntent);
  EXPECT_EQ(records[1].kind, audit::Kind::kOutcome);
  EXPECT_EQ(records[0].id, records[1].id);
  EXPECT_EQ(records[1].reason, "NO_IDENTITY");
  EXPECT_EQ(records[1].code, "UNAUTHENTICATED");
  EXPECT_EQ(records[1].method, kGetStatus);
  EXPECT_EQ(records[1].peer, "ipv4:127.0.0.1:40000");
}

TEST_F(EdgeTest, AnAdmittedCallKnowsItsCaller) {
  Call call(edge_, kForward, From({"dns:a.example"}), stream_);
  EXPECT_THAT(call.Admit(), IsOk());
  EXPECT_EQ(call.context().caller.identity, "dns:a.example");
  EXPECT_EQ(edge_.in_flight(), 1U);
  call.End(Cancelled());
  EXPECT_EQ(edge_.in_flight(), 0U);
  EXPECT_EQ(audit_.records().back().identity, "dns:a.example");
}

TEST_F(EdgeTest, WhereTokensMeanNothingOneChangesNothing) {
  h2::RequestHead head;
  head.Add("authorization", "Bearer invented");
  Call call(edge_, kForward, From({"dns:a.example"}), stream_);
  EXPECT_TRUE(call.KnowsToken(head, [] { ADD_FAILURE() << "nobody was asked"; }));
  EXPECT_THAT(call.Admit(), IsOk());
  EXPECT_EQ(call.context().caller.identity, "dns:a.example");
  call.End(Cancelled());
}

TEST_F(EdgeTest, WhatIsForOperatorsIsRefusedToOthers) {
  Call call(edge_, kGetStatus, From({"dns:a.example"}), stream_);
  ASSERT_THAT(call.Admit(), IsOk());
  const absl::Status checked = call.CheckAudience();
  EXPECT_THAT(checked, RefusedWith(Reason::kNoGrant));
  call.End(checked);
}

TEST_F(EdgeTest, AfterDrainingBeganNobodyIsAdmitted) {
  edge_.StartDraining();
  Call call(edge_, kForward, From({"dns:a.example"}), stream_);
  const absl::Status admitted = call.Admit();
  EXPECT_THAT(admitted, RefusedWith(Reason::kDraining));
  call.End(admitted);
}

TEST_F(EdgeTest, ACallWithoutATimeoutGetsThirtySeconds) {
  Call call(edge_, kGetStatus, FromNobody(), stream_);
  EXPECT_EQ(call.context().deadline, clock_.Monotonic() + absl::Seconds(30));
  call.End(Cancelled());
}

TEST_F(EdgeTest, ATimeoutCountsFromTheArrival) {
  const Incoming incoming = FromNobody(absl::Seconds(7));
  clock_.Advance(absl::Seconds(3));  // while its request came
  Call call(edge_, kGetStatus, incoming, stream_);
  EXPECT_EQ(call.context().deadline, clock_.Monotonic() + absl::Seconds(4));
  call.End(Cancelled());
}

TEST_F(EdgeTest, NoTimeoutIsLongerThanFiveMinutes) {
  for (const absl::Duration timeout : {absl::Minutes(5), absl::Minutes(6), absl::Hours(99'999'999)}) {
    Call call(edge_, kGetStatus, FromNobody(timeout), stream_);
    EXPECT_EQ(call.context().deadline, clock_.Monotonic() + absl::Minutes(5)) << timeout;
    call.End(Cancelled());
  }
}

TEST_F(EdgeTest, ARequestWithoutRoomIsRefusedAndOneThatEndsMakesRoom) {
  std::optional<Call> first;
  first.emplace(edge_, kForward, FromNobody(), stream_);
  EXPECT_THAT(first->HoldRequest(900), IsOk());
  {
    Call second(edge_, kForward, FromNobody(), stream_);
    const absl::Status refused = second.HoldRequest(101);
    EXPECT_THAT(refused, RefusedWith(Reason::kQueueFull));
    second.End(refused);
  }
  EXPECT_EQ(memory_.taken(), 900U);
  first->End(absl::OkStatus());
  EXPECT_EQ(memory_.taken(), 900U);  // the answer is still to be written
  first.reset();
  EXPECT_EQ(memory_.taken(), 0U);
}

// Law 4, should a handler forget it.
TEST_F(EdgeTest, ASuccessThatWasNotAuditedIsARefusal) {
  {
    Call call(edge_, kGetStatus, FromNobody(), stream_);
    EXPECT_EQ(call.End(absl::OkStatus()).code, static_cast<int>(absl::StatusCode::kInternal));
  }
  EXPECT_EQ(audit_.records().back().reason, "INTERNAL");
  Call audited(edge_, kGetStatus, FromNobody(), stream_);
  EXPECT_THAT(audited.context().audit.IntentAndWait(audit::Durability::kFlushedSoon), IsOk());
  EXPECT_TRUE(audited.End(absl::OkStatus()).ok());
}

TEST_F(EdgeTest, ACancelledCallStopsItsWork) {
  Call call(edge_, kGetStatus, FromNobody(), stream_);
  EXPECT_FALSE(call.context().cancelled.stop_requested());
  call.Cancel();
  EXPECT_TRUE(call.context().cancelled.stop_requested());
  EXPECT_EQ(call.End(Cancelled()).code, static_cast<int>(absl::StatusCode::kCancelled));
}

TEST_F(EdgeTest, ACallWhoseCallerLeftBeforeItWasAdmittedIsNot) {
  Call call(edge_, kForward, From({"dns:a.example"}), stream_);
  call.Cancel();
  EXPECT_THAT(call.Admit(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(edge_.in_flight(), 0U);
  call.End(Cancelled());
}

TEST_F(EdgeTest, ARecallCutsTheCallsThatMayUseAKey) {
  CountedStream without_key;
  Call forward(edge_, kForward, From({"dns:a.example"}), stream_);
  Call get(edge_, kGetToken, From({"dns:a.example"}), stream_);
  Call grants(edge_, kListGrants, From({"dns:a.example"}), without_key);
  for (Call* const call : {&forward, &get, &grants}) ASSERT_THAT(call->Admit(), IsOk());
  edge_.RecallCalls();
  EXPECT_EQ(stream_.cuts, 0);  // on the scheduler's thread
  scheduler_.RunDue();
  EXPECT_EQ(stream_.cuts, 2);
  EXPECT_EQ(without_key.cuts, 0);
  for (Call* const call : {&forward, &get, &grants}) call->End(Cancelled());
}

TEST_F(EdgeTest, ARecallLeavesAloneWhoIsNotAdmittedAndWhatHasEnded) {
  Call waiting(edge_, kForward, From({"dns:a.example"}), stream_);  // for the verdict on its token
  Call ended(edge_, kForward, From({"dns:a.example"}), stream_);
  ASSERT_THAT(ended.Admit(), IsOk());
  ended.End(Cancelled());
  edge_.RecallCalls();
  scheduler_.RunDue();
  EXPECT_EQ(stream_.cuts, 0);
  waiting.End(Cancelled());
}

TEST_F(EdgeTest, ARecallAfterTheLastCallFindsNobody) {
  edge_.RecallCalls();
  {
    Call(edge_, kForward, FromNobody(), stream_).End(Cancelled());
  }
  scheduler_.RunDue();
  EXPECT_EQ(stream_.cuts, 0);
}

TEST_F(EdgeTest, WhoIsRevokedIsToldToEndAndThenCutOffAndNobodyElseIs) {
  CountedStream of_other;
  Call revoked(edge_, kForward, From({"dns:a.example"}), stream_);
  Call other(edge_, kForward, From({"dns:b.example"}), of_other);
  ASSERT_THAT(revoked.Admit(), IsOk());
  ASSERT_THAT(other.Admit(), IsOk());
  Revoke("dns:a.example");

  edge_.calls()->CutOff();
  EXPECT_EQ(stream_.cuts, 0);  // nobody was judged yet
  edge_.calls()->JudgeAgain();
  EXPECT_TRUE(revoked.context().cancelled.stop_requested());
  EXPECT_FALSE(other.context().cancelled.stop_requested());
  EXPECT_EQ(stream_.cuts, 0);  // it has a moment to end by itself
  edge_.calls()->CutOff();
  EXPECT_EQ(stream_.cuts, 1);
  EXPECT_EQ(of_other.cuts, 0);

  EXPECT_EQ(revoked.End(Cancelled()).code, static_cast<int>(absl::StatusCode::kUnauthenticated));
  EXPECT_EQ(audit_.records().back().reason, "NO_IDENTITY");
  EXPECT_EQ(other.End(Cancelled()).code, static_cast<int>(absl::StatusCode::kCancelled));
}

TEST_F(EdgeTest, WhatARevokedCallerHasAchievedStays) {
  Call call(edge_, kForward, From({"dns:a.example"}), stream_);
  ASSERT_THAT(call.Admit(), IsOk());
  ASSERT_THAT(call.context().audit.IntentAndWait(audit::Durability::kFlushedSoon), IsOk());
  Revoke("dns:a.example");
  edge_.calls()->JudgeAgain();
  EXPECT_TRUE(call.End(absl::OkStatus()).ok());
}

}  // namespace
}  // namespace lmbroker::rpc
