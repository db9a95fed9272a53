#include "service/portal/rate_limit.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace lmbroker::portal {
namespace {

std::vector<http::NameValue> Headers(std::string limit, std::string remaining, std::string window) {
  return {{"x-rate-limit-limit", std::move(limit)},
          {"X-RATE-LIMIT-REMAINING", std::move(remaining)},
          {"X-Rate-Limit-Window", std::move(window)}};
}

PortalName Portal(std::string_view id) { return *PortalName::FromId(id, "portal"); }

http::CanonicalRequest Get(std::string path) {
  return *http::CanonicalRequest::Make(
      {.method = "GET", .path = std::move(path), .query = {}, .headers = {}, .body = ""}, {});
}

TEST(RateLimitTest, NeedsAllThreeHeadersAsWholeNumbers) {
  const auto good = ParseRateLimit(Headers("500", "0", "60"));
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(good->limit, 500);
  EXPECT_EQ(good->remaining, 0);
  EXPECT_EQ(good->window, absl::Seconds(60));
  for (const std::string bad : {"", "-1", "1.5", "x", "5x", " 5", "99999999999"}) {
    EXPECT_FALSE(ParseRateLimit(Headers(bad, "1", "60")).has_value()) << bad;
    EXPECT_FALSE(ParseRateLimit(Headers("1", "1", bad)).has_value()) << bad;
  }
  EXPECT_FALSE(ParseRateLimit({{"X-Rate-Limit-Limit", "1"}}).has_value());
}

TEST(RateLimitTest, WaitIsBounded) {
  EXPECT_EQ(RetryAfter({}), absl::Seconds(60));
  EXPECT_EQ(RetryAfter({{"Retry-After", "7"}, {"X-Rate-Limit-Window", "60"}}), absl::Seconds(7));
  EXPECT_EQ(RetryAfter({{"X-Rate-Limit-Window", "30"}}), absl::Seconds(30));
  EXPECT_EQ(RetryAfter({{"Retry-After", "0"}}), absl::Seconds(1));
  EXPECT_EQ(RetryAfter({{"Retry-After", "2000000000"}}), absl::Minutes(5));
  EXPECT_EQ(RetryAfter({{"Retry-After", "soon"}}), absl::Seconds(60));
}

TEST(RateLimitTest, NumbersInPathsFold) {
  EXPECT_EQ(EndpointPattern(*http::CanonicalPath::Parse("/device/devices/7/instances/a1")),
            "/device/devices/{id}/instances/a1");
  EXPECT_EQ(EndpointPattern(*http::CanonicalPath::Parse("/device/devices")), "/device/devices");
}

TEST(BudgetTableTest, KeepsTheLastWordPerPatternAndMethod) {
  BudgetTable table;
  EXPECT_TRUE(table.Learn(Portal("acme"), Get("/device/devices/1"), Headers("500", "9", "60")).has_value());
  EXPECT_TRUE(table.Learn(Portal("acme"), Get("/device/devices/2"), Headers("500", "8", "60")).has_value());
  EXPECT_FALSE(table.Learn(Portal("acme"), Get("/device/devices/3"), {}).has_value());
  table.Learn(Portal("other"), Get("/device/devices/1"), Headers("1", "1", "1"));
  const auto rows = table.Of(Portal("acme"));
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].pattern, "/device/devices/{id}");
  EXPECT_EQ(rows[0].method, http::Method::kGet);
  EXPECT_EQ(rows[0].budget.remaining, 8);
}

TEST(BudgetTableTest, OldestRowMakesRoom) {
  BudgetTable table(2);
  table.Learn(Portal("acme"), Get("/a"), Headers("1", "1", "1"));
  table.Learn(Portal("acme"), Get("/b"), Headers("1", "1", "1"));
  table.Learn(Portal("acme"), Get("/a"), Headers("1", "1", "1"));
  table.Learn(Portal("acme"), Get("/c"), Headers("1", "1", "1"));
  const auto rows = table.Of(Portal("acme"));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].pattern, "/a");
  EXPECT_EQ(rows[1].pattern, "/c");
}

}  // namespace
}  // namespace lmbroker::portal
