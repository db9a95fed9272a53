#include "service/audit/call_audit.h"

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/audit/intent_durable.h"
#include "service/base/error.h"
#include "service/base/task.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_scheduler.h"
#include "tests/fakes/recording_audit_log.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::audit {
namespace {

using Mode = RecordingAuditLog::Mode;

class CallAuditTest : public testing::Test {
 protected:
  Record Known() const {
    return {.id = "42", .caller = "inventory", .identity = "dns:a", .peer = "ipv4:10.0.0.1:1", .method = "/S/M"};
  }

  RecordingAuditLog log_;
  FakeClock clock_;
  FakeScheduler scheduler_{clock_};
  RefusalLimiter refusals_{log_, clock_};
};

TEST_F(CallAuditTest, AllowedCallIsAPairWithOneId) {
  {
    CallAudit audit(log_, refusals_, clock_, Known());
    audit.fields().portal = "portals/acme";
    clock_.Advance(absl::Microseconds(5));
    EXPECT_THAT(audit.IntentAndWait(Durability::kOnDisk), IsOk());
    audit.fields().http_status = 200;
    clock_.Advance(absl::Microseconds(1200));
    audit.Outcome(absl::OkStatus());
  }
  const auto records = log_.records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].kind, Kind::kIntent);
  EXPECT_EQ(records[0].decision, Decision::kAllowed);
  EXPECT_EQ(records[0].code, "");
  EXPECT_EQ(records[0].duration_us, std::nullopt);
  EXPECT_EQ(records[0].http_status, std::nullopt);
  EXPECT_EQ(records[1].kind, Kind::kOutcome);
  EXPECT_EQ(records[1].decision, Decision::kAllowed);
  EXPECT_EQ(records[1].code, "OK");
  EXPECT_EQ(records[1].reason, "");
  EXPECT_EQ(records[1].http_status, 200);
  EXPECT_EQ(records[1].duration_us, 1205);
  EXPECT_EQ(records[1].time - records[0].time, absl::Microseconds(1200));
  for (const Record& record : records) {
    EXPECT_EQ(record.id, "42");
    EXPECT_EQ(record.caller, "inventory");
    EXPECT_EQ(record.portal, "portals/acme");
  }
  EXPECT_THAT(log_.durabilities(), testing::ElementsAre(Durability::kOnDisk, Durability::kFlushedSoon));
}

TEST_F(CallAuditTest, RefusedCallIsAPairToo) {
  CallAudit audit(log_, refusals_, clock_, Known());
  audit.Outcome(Refuse(Reason::kNoGrant, "no"));
  const auto records = log_.records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].kind, Kind::kIntent);
  EXPECT_EQ(records[0].decision, Decision::kRefused);
  EXPECT_EQ(records[0].code, "");
  EXPECT_EQ(records[1].kind, Kind::kOutcome);
  EXPECT_EQ(records[1].decision, Decision::kRefused);
  EXPECT_EQ(records[1].code, "PERMISSION_DENIED");
  EXPECT_EQ(records[1].reason, "NO_GRANT");
  EXPECT_THAT(log_.durabilities(), testing::Each(Durability::kFlushedSoon));
}

TEST_F(CallAuditTest, CallThatFailsAfterItsIntentWasStillAllowed) {
  CallAudit audit(log_, refusals_, clock_, Known());
  ASSERT_THAT(audit.IntentAndWait(Durability::kFlushedSoon), IsOk());
  audit.Outcome(Refuse(Reason::kPortalUnreachable, "no"));
  ASSERT_EQ(log_.records().size(), 2U);
  EXPECT_EQ(log_.records()[1].decision, Decision::kAllowed);
  EXPECT_EQ(log_.records()[1].reason, "PORTAL_UNREACHABLE");
}

TEST_F(CallAuditTest, CancelledAndForeignStatusesHaveACodeAndNoReason) {
  for (const absl::Status& status : {Cancelled(), absl::DeadlineExceededError("late")}) {
    CallAudit audit(log_, refusals_, clock_, Known());
    audit.Outcome(status);
    EXPECT_EQ(log_.records().back().code, absl::StatusCodeToString(status.code()));
    EXPECT_EQ(log_.records().back().reason, "");
  }
}

TEST_F(CallAuditTest, DoneWithoutAnIntentOfItsOwnGetsOne) {
  CallAudit audit(log_, refusals_, clock_, Known());
  audit.Outcome(absl::OkStatus());
  ASSERT_EQ(log_.records().size(), 2U);
  EXPECT_EQ(log_.records()[0].decision, Decision::kAllowed);
}

TEST_F(CallAuditTest, CallWithoutOutcomeIsRecordedAsAbandoned) {
  {
    const CallAudit audit(log_, refusals_, clock_, Known());
  }
  {
    CallAudit audit(log_, refusals_, clock_, Known());
    ASSERT_THAT(audit.IntentAndWait(Durability::kOnDisk), IsOk());
  }
  const auto records = log_.records();
  ASSERT_EQ(records.size(), 4U);
  for (const std::size_t outcome : {1U, 3U}) {
    EXPECT_EQ(records[outcome].kind, Kind::kOutcome);
    EXPECT_EQ(records[outcome].code, "INTERNAL");
    EXPECT_EQ(records[outcome].reason, "ABANDONED");
  }
}

TEST_F(CallAuditTest, FloodOfRefusalsIsCountedAndAllowedCallsAreNot) {
  for (int i = 0; i < 100; ++i) {
    const bool recorded = CallAudit(log_, refusals_, clock_, Known()).Outcome(Refuse(Reason::kNoGrant, "no"));
    EXPECT_EQ(recorded, i < RefusalLimiter::kPairsPerSecond) << i;
  }
  EXPECT_EQ(log_.records().size(), 2U * RefusalLimiter::kPairsPerSecond);
  CallAudit allowed(log_, refusals_, clock_, Known());
  ASSERT_THAT(allowed.IntentAndWait(Durability::kOnDisk), IsOk());
  EXPECT_TRUE(allowed.Outcome(absl::OkStatus()));
  EXPECT_EQ(log_.records().size(), 2U * RefusalLimiter::kPairsPerSecond + 2);
}

TEST_F(CallAuditTest, IntentThatCannotBeWrittenIsAnError) {
  log_.Set(Mode::kFails);
  CallAudit audit(log_, refusals_, clock_, Known());
  const absl::Status status = audit.IntentAndWait(Durability::kOnDisk);
  EXPECT_THAT(status, RefusedWith(Reason::kAuditUnavailable));
  audit.Outcome(status);
  EXPECT_EQ(log_.records().back().reason, "AUDIT_UNAVAILABLE");
}

TEST_F(CallAuditTest, RefusalNeedsNoWritableAudit) {
  log_.Set(Mode::kHolds);
  CallAudit audit(log_, refusals_, clock_, Known());
  audit.Outcome(Refuse(Reason::kNoGrant, "no"));  // returns, though nothing reaches the disk
  EXPECT_EQ(log_.records().size(), 2U);
}

TEST_F(CallAuditTest, BlockingIntentWaitsForTheDisk) {
  log_.Set(Mode::kHolds);
  CallAudit audit(log_, refusals_, clock_, Known());
  std::atomic<bool> released = false;
  std::thread disk([&] {
    log_.AwaitHeld(1);
    released = true;
    log_.Release();
  });
  EXPECT_THAT(audit.IntentAndWait(Durability::kOnDisk), IsOk());
  EXPECT_TRUE(released);
  disk.join();
  audit.Outcome(absl::OkStatus());
}

Task<absl::Status> WriteIntent(CallAudit& audit, Durability durability, Scheduler& scheduler) {
  IntentDurable intent(audit, durability, scheduler);
  absl::Status status = co_await intent;
  co_return status;
}

TEST_F(CallAuditTest, CoroutineGoesOnWhenTheDiskHasIt) {
  log_.Set(Mode::kHolds);
  CallAudit audit(log_, refusals_, clock_, Known());
  std::optional<absl::Status> result;
  Start(WriteIntent(audit, Durability::kOnDisk, scheduler_), [&](absl::Status status) { result = std::move(status); });
  EXPECT_FALSE(result.has_value());
  std::thread([&] { log_.Release(); }).join();
  EXPECT_FALSE(result.has_value());  // not on the log's thread
  scheduler_.RunDue();
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(*result, IsOk());
  audit.Outcome(*result);
}

TEST_F(CallAuditTest, CoroutineGoesOnAtOnceWhenThereIsNothingToWaitFor) {
  CallAudit audit(log_, refusals_, clock_, Known());
  std::optional<absl::Status> result;
  Start(WriteIntent(audit, Durability::kFlushedSoon, scheduler_),
        [&](absl::Status status) { result = std::move(status); });
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(*result, IsOk());
  audit.Outcome(*result);
}

TEST_F(CallAuditTest, CoroutineIsToldThatTheDiskHangs) {
  log_.Set(Mode::kHolds);
  CallAudit audit(log_, refusals_, clock_, Known());
  std::optional<absl::Status> result;
  Start(WriteIntent(audit, Durability::kOnDisk, scheduler_), [&](absl::Status status) { result = std::move(status); });
  log_.Expire();
  scheduler_.RunDue();
  ASSERT_TRUE(result.has_value());
  EXPECT_THAT(*result, RefusedWith(Reason::kAuditUnavailable));
  audit.Outcome(*result);
}

}  // namespace
}  // namespace lmbroker::audit
