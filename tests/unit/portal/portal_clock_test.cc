#include "service/portal/portal_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"

namespace lmbroker::portal {
namespace {

class PortalClockTest : public testing::Test {
 protected:
  // A reply now from a portal whose clock is that much ahead.
  std::optional<bool> Reply(absl::Duration ahead, bool refused = false) {
    clock_.Advance(absl::Seconds(1));
    const absl::Duration now = clock_.Monotonic();
    return portal_.Learn(DateOf(true_time_ + (now - start_) + ahead), now, now, refused);
  }
  static std::vector<http::NameValue> DateOf(absl::Time time) {
    return {{"Date", absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", time, absl::UTCTimeZone())}};
  }
  void ExpectSkew(absl::Duration skew) {
    ASSERT_TRUE(portal_.skew().has_value());
    EXPECT_LE(absl::AbsDuration(*portal_.skew() - skew), absl::Seconds(1)) << *portal_.skew();
  }

  FakeClock clock_;
  const absl::Time true_time_ = clock_.Now();
  const absl::Duration start_ = clock_.Monotonic();
  PortalClock portal_{clock_};
};

TEST_F(PortalClockTest, UntilTheFirstReplyItIsTheLocalTime) {
  EXPECT_EQ(portal_.Now(), clock_.Now());
  EXPECT_EQ(portal_.skew(), std::nullopt);
}

TEST_F(PortalClockTest, OneReplyThatDisagreesWithTheLocalClockIsNotBelievedYet) {
  Reply(absl::Minutes(-7));
  EXPECT_EQ(portal_.Now(), clock_.Now());
  Reply(absl::Minutes(-7));
  ExpectSkew(absl::Minutes(-7));
  EXPECT_LE(absl::AbsDuration(portal_.Now() - (clock_.Now() - absl::Minutes(7))), absl::Seconds(1));
}

TEST_F(PortalClockTest, ReplyThatRefusesASignatureIsBelievedAtOnce) {
  Reply(absl::Minutes(-40), /*refused=*/true);
  ExpectSkew(absl::Minutes(-40));
}

TEST_F(PortalClockTest, OneOddReplyChangesNothing) {
  for (int i = 0; i < 5; ++i) Reply(absl::Seconds(3));
  Reply(absl::Hours(24));
  ExpectSkew(absl::Seconds(3));
  Reply(absl::Seconds(3));
  Reply(absl::Hours(-24));
  Reply(absl::Hours(24));
  ExpectSkew(absl::Seconds(3));
}

TEST_F(PortalClockTest, TwoRepliesThatAgreeAreBelievedAgainstAllEarlierOnes) {
  for (int i = 0; i < 9; ++i) Reply(absl::Seconds(3));
  Reply(absl::Minutes(10));
  Reply(absl::Minutes(10));
  ExpectSkew(absl::Minutes(10));
}

// What signatures rest on.
TEST_F(PortalClockTest, StepOfTheLocalClockDoesNotChangeThePortalsTime) {
  for (int i = 0; i < 3; ++i) Reply(absl::ZeroDuration());
  const absl::Time before = portal_.Now();
  clock_.StepTo(clock_.Now() - absl::Hours(3));
  EXPECT_EQ(portal_.Now(), before);
  ExpectSkew(absl::Hours(3));
}

TEST_F(PortalClockTest, AlarmAboveFiveMinutesIsTurnedOnAndOffOnce) {
  EXPECT_EQ(Reply(absl::Minutes(4)), std::nullopt);
  EXPECT_EQ(Reply(absl::Minutes(6)), std::nullopt);  // odd
  EXPECT_EQ(Reply(absl::Minutes(6)), true);
  EXPECT_TRUE(portal_.alarming());
  EXPECT_EQ(Reply(absl::Minutes(6)), std::nullopt);
  EXPECT_EQ(Reply(absl::ZeroDuration()), std::nullopt);  // odd
  EXPECT_EQ(Reply(absl::ZeroDuration()), false);
  EXPECT_FALSE(portal_.alarming());
}

TEST_F(PortalClockTest, OneReplyASecondIsEnoughUnlessItRefuses) {
  Reply(absl::ZeroDuration());
  const absl::Duration now = clock_.Monotonic();
  const auto hour_ahead = DateOf(clock_.Now() + absl::Hours(1));
  for (int i = 0; i < 5; ++i) portal_.Learn(hour_ahead, now, now, /*refused=*/false);
  ExpectSkew(absl::ZeroDuration());
  portal_.Learn(hour_ahead, now, now, /*refused=*/true);
  ExpectSkew(absl::Hours(1));
}

TEST_F(PortalClockTest, RepliesWithoutADateOrFromACacheTeachNothing) {
  portal_.Learn({}, start_, start_, true);
  portal_.Learn({{"Date", "yesterday"}}, start_, start_, true);
  portal_.Learn({{"Date", "Tue, 14 Nov 2023 22:13:20 GMT"}, {"Age", "7"}}, start_, start_, true);
  EXPECT_EQ(portal_.skew(), std::nullopt);
}

}  // namespace
}  // namespace lmbroker::portal
