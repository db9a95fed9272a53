#include "service/portal/reply_headers.h"

#include <gtest/gtest.h>

namespace lmbroker::portal {
namespace {

TEST(ReplyHeadersTest, SkewIsAgainstTheMiddleOfTheExchange) {
  const absl::Time sent = absl::FromUnixSeconds(1'700'000'000);  // Tue, 14 Nov 2023 22:13:20 GMT
  const auto skew = ClockSkew({{"date", "Tue, 14 Nov 2023 22:14:20 GMT"}}, sent, sent + absl::Seconds(1));
  ASSERT_TRUE(skew.has_value());
  EXPECT_EQ(*skew, absl::Seconds(60));
}

TEST(ReplyHeadersTest, NoSkewFromABadOrCachedDate) {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_FALSE(ClockSkew({}, now, now).has_value());
  for (const char* date : {"", "yesterday", "Tue, 14 Nov 2023", "infinite-future", "Tue, 99 Nov 2023 22:14:20 GMT"}) {
    EXPECT_FALSE(ClockSkew({{"Date", date}}, now, now).has_value()) << date;
  }
  EXPECT_FALSE(ClockSkew({{"Date", "Tue, 14 Nov 2023 22:14:20 GMT"}, {"Age", "3"}}, now, now).has_value());
}

}  // namespace
}  // namespace lmbroker::portal
