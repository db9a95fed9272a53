#include "service/base/metrics.h"

#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lmbroker {
namespace {

using testing::HasSubstr;
using testing::Not;

const Metrics::Options kOptions = {.version = "1.2.3", .methods = {"/a.B/C"}, .portals = {"acme"}};

TEST(MetricsTest, CallsAreCountedByMethodAndCode) {
  Metrics metrics(kOptions);
  metrics.CallStarted();
  metrics.CallStarted();
  metrics.CallEnded("/a.B/C", absl::StatusCode::kOk, absl::Milliseconds(3));
  EXPECT_THAT(metrics.Text(), HasSubstr("lmbroker_in_flight 1\n"));
  metrics.CallEnded("/a.B/C", absl::StatusCode::kPermissionDenied, absl::Milliseconds(700));
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("lmbroker_in_flight 0\n"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_requests_total{code="OK",method="/a.B/C"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_requests_total{code="PERMISSION_DENIED",method="/a.B/C"} 1)"));
}

TEST(MetricsTest, LatencyIsAHistogramThatGrowsOverScrapes) {
  Metrics metrics(kOptions);
  metrics.CallEnded("/a.B/C", absl::StatusCode::kOk, absl::Milliseconds(3));
  (void)metrics.Text();
  metrics.CallEnded("/a.B/C", absl::StatusCode::kOk, absl::Milliseconds(5));  // on a bound: inside
  metrics.CallEnded("/a.B/C", absl::StatusCode::kOk, absl::Seconds(100));     // above every bound
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_request_seconds_count{method="/a.B/C"} 3)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_request_seconds_sum{method="/a.B/C"} 100.008)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_request_seconds_bucket{method="/a.B/C",le="0.0025"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_request_seconds_bucket{method="/a.B/C",le="0.005"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_request_seconds_bucket{method="/a.B/C",le="30"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_request_seconds_bucket{method="/a.B/C",le="+Inf"} 3)"));
}

TEST(MetricsTest, UnknownNamesAddNoTimeSeries) {
  Metrics metrics(kOptions);
  metrics.CallEnded("/made.Up/Name", absl::StatusCode::kUnimplemented, absl::ZeroDuration());
  metrics.PortalAnswered("made-up", 200, absl::ZeroDuration());
  metrics.CallEnded("/a.B/C", static_cast<absl::StatusCode>(99), absl::ZeroDuration());
  const std::string text = metrics.Text();
  EXPECT_THAT(text, Not(HasSubstr("ade")));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_requests_total{code="UNIMPLEMENTED",method="other"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_portal_calls_total{class="2xx",portal="other"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_requests_total{code="UNKNOWN",method="/a.B/C"} 1)"));
}

TEST(MetricsTest, PortalCallsAreCountedByClass) {
  Metrics metrics(kOptions);
  for (const int status : {200, 204, 301, 404, 429, 503, 0, -1, 999}) {
    metrics.PortalAnswered("acme", status, absl::Milliseconds(1));
  }
  metrics.PortalFailed("acme", absl::Seconds(3));
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_portal_calls_total{class="2xx",portal="acme"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_portal_calls_total{class="3xx",portal="acme"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_portal_calls_total{class="4xx",portal="acme"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_portal_calls_total{class="none",portal="acme"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_portal_seconds_count{portal="acme"} 10)"));
}

TEST(MetricsTest, SharedReadsCountByWhereTheirReplyCameFrom) {
  Metrics metrics(kOptions);
  metrics.ReadServedFromMemory("acme");
  metrics.ReadServedFromMemory("acme");
  metrics.ReadJoined("acme");
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_shared_reads_total{from="memory",portal="acme"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_shared_reads_total{from="in_flight",portal="acme"} 1)"));
}

TEST(MetricsTest, EveryReasonIsThereFromTheStart) {
  Metrics metrics(kOptions);
  metrics.Refused(Reason::kNoGrant);
  metrics.Refused(Reason::kInternal);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_refusals_total{reason="NO_GRANT"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_refusals_total{reason="INTERNAL"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_refusals_total{reason="NO_IDENTITY"} 0)"));
}

TEST(MetricsTest, SinglesHaveTheirNames) {
  Metrics metrics(kOptions);
  metrics.AuditWritten(5);
  metrics.AuditRefused();
  metrics.AuditFailed();
  metrics.SetAuditLag(absl::Milliseconds(1500));
  metrics.PolicyLoaded(true);
  metrics.PolicyLoaded(false);
  metrics.ShadowLoaded(false);
  metrics.ShadowLoaded(true);
  metrics.ShadowDiffered(/*would_allow=*/true);
  const std::string text = metrics.Text();
  for (const std::string_view line :
       {R"(lmbroker_build_info{version="1.2.3"} 1)", "lmbroker_audit_records_total 5", "lmbroker_audit_refused_total 1",
        "lmbroker_audit_failures_total 1", "lmbroker_audit_lag_seconds 1.5",
        R"(lmbroker_policy_loads_total{result="ok"} 1)", R"(lmbroker_policy_loads_total{result="failed"} 1)",
        R"(lmbroker_policy_stale{policy="active"} 1)", R"(lmbroker_policy_stale{policy="shadow"} 0)",
        R"(lmbroker_shadow_loads_total{result="failed"} 1)",
        R"(lmbroker_shadow_differences_total{shadow="would_allow"} 1)",
        R"(lmbroker_shadow_differences_total{shadow="would_refuse"} 0)"}) {
    EXPECT_THAT(text, HasSubstr(std::string(line) + "\n"));
  }
}

TEST(MetricsTest, CountsOfManyThreadsAddUpWhileScraped) {
  Metrics metrics(kOptions);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&metrics] {
      for (int i = 0; i < 1000; ++i) {
        metrics.CallStarted();
        metrics.CallEnded("/a.B/C", absl::StatusCode::kOk, absl::Milliseconds(1));
      }
    });
  }
  for (int i = 0; i < 10; ++i) (void)metrics.Text();
  for (std::thread& thread : threads) thread.join();
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_requests_total{code="OK",method="/a.B/C"} 4000)"));
  EXPECT_THAT(text, HasSubstr(R"(lmbroker_request_seconds_count{method="/a.B/C"} 4000)"));
  EXPECT_THAT(text, HasSubstr("lmbroker_in_flight 0\n"));
}

}  // namespace
}  // namespace lmbroker
