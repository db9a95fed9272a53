#include "service/audit/refusal_limiter.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "service/audit/call_audit.h"
#include "service/base/error.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/recording_audit_log.h"

namespace lmbroker::audit {
namespace {

constexpr int kMost = RefusalLimiter::kPairsPerSecond;
constexpr std::size_t kPair = 1300;  // bytes, as most have

class RefusalLimiterTest : public testing::Test {
 protected:
  // How many of `calls` refused calls get records of their own.
  int Admitted(int calls, std::string_view identity, std::string_view peer) {
    int admitted = 0;
    for (int i = 0; i < calls; ++i) admitted += limiter_.Admit(identity, peer, kPair) ? 1 : 0;
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

// Peers' audits grow with the requests of anybody. Here a stranger at full speed adds less than 1 MiB a minute,
// whatever it sends: lines of 2 KiB of path that are escapes, for instance.
TEST_F(RefusalLimiterTest, StrangerAddsLessThanAMebibyteInAnyMinute) {
  for (const std::string& path : {std::string("/device/devices"), "/" + std::string(2047, '\x01')}) {
    std::vector<std::size_t> per_second;
    std::size_t seen = 0;
    for (int second = 0; second < 130; ++second) {
      for (int i = 0; i < 25; ++i) {
        CallAudit audit(log_, limiter_, clock_,
                        {.id = std::string(36, 'i'),
                         .identity = "spiffe://corp.example/ns/stranger/sa/app",
                         .peer = "ipv4:127.0.0.1:43210",
                         .method = "/lmbroker.v1.ForwardService/Forward",
                         .portal = "portals/acme",
                         .path = path,
                         .query_digest = std::string(64, 'q'),
                         .body_digest = std::string(64, 'b')});
        audit.Outcome(Refuse(Reason::kNoGrant, "No."));
      }
      clock_.Advance(absl::Seconds(1));
      limiter_.WriteCounts();
      const std::string text = log_.Text();
      per_second.push_back(text.size());
      log_.Clear();
      seen += text.size();
    }
    for (std::size_t start = 0; start + 60 <= per_second.size(); ++start) {
      const auto first = per_second.begin() + static_cast<std::ptrdiff_t>(start);
      EXPECT_LT(std::accumulate(first, first + 60, std::size_t{0}), std::size_t{1} << 20) << start;
    }
    EXPECT_GT(seen, std::size_t{512} << 10);  // what is bounded is still written
    clock_.Advance(absl::Minutes(1));
  }
}

TEST_F(RefusalLimiterTest, OneThatHasSpentItsBytesIsCountedAndOthersAreNot) {
  EXPECT_FALSE(limiter_.Admit("dns:a", "", RefusalLimiter::kMostBytes + 1));
  EXPECT_TRUE(limiter_.Admit("dns:a", "", RefusalLimiter::kMostBytes));
  EXPECT_FALSE(limiter_.Admit("dns:a", "", kPair));
  EXPECT_TRUE(limiter_.Admit("dns:b", "", kPair));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(limiter_.Admit("dns:a", "", kPair));
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
  for (std::size_t i = 0; i < RefusalLimiter::kMostSources; ++i)
    (void)limiter_.Admit("dns:" + std::to_string(i), "", kPair);
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) admitted += limiter_.Admit("dns:more" + std::to_string(i), "", kPair) ? 1 : 0;
  EXPECT_EQ(admitted, kMost);
  EXPECT_TRUE(limiter_.Admit("dns:0", "", kPair));
  clock_.Advance(absl::Seconds(1));
  limiter_.WriteCounts();
  ASSERT_EQ(log_.records().size(), 1U);
  EXPECT_EQ(log_.records()[0].identity, "");
  EXPECT_EQ(log_.records()[0].count, 1000 - kMost);
}

TEST_F(RefusalLimiterTest, CountsAreWrittenAtTheEnd) {
  {
    RefusalLimiter limiter(log_, clock_);
    for (int i = 0; i <= kMost; ++i) (void)limiter.Admit("dns:a", "", kPair);
  }
  ASSERT_EQ(log_.records().size(), 1U);
  EXPECT_EQ(log_.records()[0].count, 1);
}

TEST(RefusalLimiterThreadTest, CountsAreWrittenWithoutFurtherCalls) {
  RecordingAuditLog log;
  const SystemClock clock;
  RefusalLimiter limiter(log, clock);
  for (int i = 0; i <= kMost; ++i) (void)limiter.Admit("dns:a", "", kPair);
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
        for (int i = 0; i < 500; ++i) admitted += limiter.Admit("dns:a", "", kPair) ? 1 : 0;
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
