#include "service/audit/refusal_limiter.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/recording_audit_log.h"

namespace lmbroker::audit {
namespace {

constexpr int kMost = RefusalLimiter::kPairsPerSecond;

class RefusalLimiterTest : public testing::Test {
 protected:
  // How many of `calls` refused calls get records of their own.
  int Admitted(int calls, std::string_view identity, std::string_view peer) {
    int admitted = 0;
    for (int i = 0; i < calls; ++i) admitted += limiter_.Admit(identity, peer) ? 1 : 0;
    return admitted;
  }

  RecordingAuditLog log_;
  FakeClock clock_;
  RefusalLimiter limiter_{log_, clock_};
};

TEST_F(RefusalLimiterTest, TwentyASecondAreAdmittedAndTheRestIsCountedOnce) {
  EXPECT_EQ(Admitted(100, "dns:a", "ipv4:10.0.0.1:1"), kMost);
  EXPECT_TRUE(log_.records().empty());
  clock_.Advance(absl::Seconds(1));
  limiter_.WriteCounts();
  const auto records = log_.records();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].kind, Kind::kRefusals);
  EXPECT_EQ(records[0].identity, "dns:a");
  EXPECT_EQ(records[0].count, 100 - kMost);
  EXPECT_EQ(records[0].decision, Decision::kRefused);
  EXPECT_EQ(records[0].time, clock_.Now());
  EXPECT_EQ(log_.durabilities()[0], Durability::kFlushedSoon);
  EXPECT_EQ(Admitted(100, "dns:a", "ipv4:10.0.0.1:1"), kMost);
}

TEST_F(RefusalLimiterTest, FirstRefusalOfTheNextSecondWritesTheCounts) {
  (void)Admitted(kMost + 1, "dns:a", "");
  clock_.Advance(absl::Milliseconds(999));
  (void)Admitted(1, "dns:a", "");
  EXPECT_TRUE(log_.records().empty());
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(Admitted(1, "dns:b", ""), 1);
  ASSERT_EQ(log_.records().size(), 1U);
  EXPECT_EQ(log_.records()[0].count, 2);
}

TEST_F(RefusalLimiterTest, IdentitiesDoNotShareTheirPlaces) {
  EXPECT_EQ(Admitted(kMost + 5, "dns:a", "ipv4:10.0.0.1:1"), kMost);
  EXPECT_EQ(Admitted(kMost + 5, "dns:b", "ipv4:10.0.0.1:1"), kMost);
}

TEST_F(RefusalLimiterTest, WithoutIdentityTheAddressCountsAndNotThePort) {
  EXPECT_EQ(Admitted(kMost, "", "ipv4:10.0.0.1:1000"), kMost);
  EXPECT_EQ(Admitted(5, "", "ipv4:10.0.0.1:2000"), 0);
  EXPECT_EQ(Admitted(5, "", "ipv4:10.0.0.2:1000"), 5);
  EXPECT_EQ(Admitted(kMost, "", "ipv6:%5B::1%5D:1000"), kMost);
  EXPECT_EQ(Admitted(5, "", "ipv6:%5B::1%5D:2000"), 0);
  clock_.Advance(absl::Seconds(1));
  limiter_.WriteCounts();
  ASSERT_EQ(log_.records().size(), 2U);
  EXPECT_EQ(log_.records()[0].peer, "ipv4:10.0.0.1");
  EXPECT_EQ(log_.records()[0].count, 5);
}

TEST_F(RefusalLimiterTest, SourcesBeyondTheBoundShareOne) {
  for (std::size_t i = 0; i < RefusalLimiter::kMostSources; ++i) (void)limiter_.Admit("dns:" + std::to_string(i), "");
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) admitted += limiter_.Admit("dns:more" + std::to_string(i), "") ? 1 : 0;
  EXPECT_EQ(admitted, kMost);
  EXPECT_TRUE(limiter_.Admit("dns:0", ""));
  clock_.Advance(absl::Seconds(1));
  limiter_.WriteCounts();
  ASSERT_EQ(log_.records().size(), 1U);
  EXPECT_EQ(log_.records()[0].identity, "");
  EXPECT_EQ(log_.records()[0].count, 1000 - kMost);
}

TEST_F(RefusalLimiterTest, CountsAreWrittenAtTheEnd) {
  {
    RefusalLimiter limiter(log_, clock_);
    for (int i = 0; i <= kMost; ++i) (void)limiter.Admit("dns:a", "");
  }
  ASSERT_EQ(log_.records().size(), 1U);
  EXPECT_EQ(log_.records()[0].count, 1);
}

TEST(RefusalLimiterThreadTest, CountsAreWrittenWithoutFurtherCalls) {
  RecordingAuditLog log;
  const SystemClock clock;
  RefusalLimiter limiter(log, clock);
  for (int i = 0; i <= kMost; ++i) (void)limiter.Admit("dns:a", "");
  while (log.records().empty()) std::this_thread::yield();
  EXPECT_EQ(log.records()[0].kind, Kind::kRefusals);
}

TEST(RefusalLimiterThreadTest, NoRefusalIsLostBetweenThreads) {
  RecordingAuditLog log;
  const SystemClock clock;
  std::atomic<int> admitted = 0;
  {
    RefusalLimiter limiter(log, clock);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) admitted += limiter.Admit("dns:a", "") ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::int64_t counted = 0;
  for (const Record& record : log.records()) counted += *record.count;
  EXPECT_EQ(admitted + counted, 2000);
}

}  // namespace
}  // namespace lmbroker::audit
