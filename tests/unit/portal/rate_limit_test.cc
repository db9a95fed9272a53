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
  EXPECT_EQ(RetryAfter(Headers("500", "0", "30")), absl::Seconds(30));
  EXPECT_EQ(RetryAfter(Headers("500", "1", "30")), absl::Seconds(1));
  EXPECT_EQ(RetryAfter({{"Retry-After", "0"}}), absl::Seconds(1));
  EXPECT_EQ(RetryAfter({{"Retry-After", "2000000000"}}), absl::Minutes(5));
  EXPECT_EQ(RetryAfter({{"Retry-After", "soon"}}), absl::Seconds(60));
}

TEST(RateLimitTest, DefaultsAreThoseOfLogicMonitor) {
  EXPECT_EQ(DefaultLimit(http::Method::kGet), 500);
  EXPECT_EQ(DefaultLimit(http::Method::kPost), 200);
  EXPECT_EQ(DefaultLimit(http::Method::kPut), 200);
  EXPECT_EQ(DefaultLimit(http::Method::kPatch), 250);
  EXPECT_EQ(DefaultLimit(http::Method::kDelete), 300);
}

}  // namespace
}  // namespace lmbroker::portal
