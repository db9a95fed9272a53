#include "service/portal/repeat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_random.h"

namespace lmbroker::portal {
namespace {

using http::Delivery;

class RepeatTest : public testing::Test {
 protected:
  static http::TransferResult Lost(Delivery delivery, Reason reason = Reason::kPortalUnreachable) {
    return {.response = Refuse(reason, "Lost."), .delivery = delivery};
  }
  static http::TransferResult Answered(int status, std::vector<http::NameValue> headers = {}) {
    return {.response = http::Response{.status = status, .headers = std::move(headers)},
            .delivery = Delivery::kMaybeSent};
  }
  std::optional<absl::Duration> Wait(const http::TransferResult& result, Repeatable repeatable, int attempts = 1) {
    return WaitBeforeRepeat(result, repeatable, attempts, random_);
  }

  FakeRandom random_;
  FakeClock clock_;
  RepeatBudget budget_{clock_};
};

// Law 6.
TEST_F(RepeatTest, WhatThePortalMayHaveSeenIsRepeatedOnlyWhenThatDoesNoHarm) {
  const auto seen = Lost(Delivery::kMaybeSent);
  const auto unseen = Lost(Delivery::kNotSent);
  EXPECT_TRUE(Wait(seen, Repeatable::kAlways).has_value());
  EXPECT_TRUE(Wait(unseen, Repeatable::kAlways).has_value());
  EXPECT_FALSE(Wait(seen, Repeatable::kUnlessSeen).has_value());
  EXPECT_TRUE(Wait(unseen, Repeatable::kUnlessSeen).has_value());
  EXPECT_FALSE(Wait(seen, Repeatable::kNever).has_value());
  EXPECT_FALSE(Wait(unseen, Repeatable::kNever).has_value());
}

TEST_F(RepeatTest, OnlyAnswersThatPassAreAskedForAgain) {
  for (const int status : {429, 502, 503, 504}) {
    EXPECT_TRUE(Wait(Answered(status), Repeatable::kAlways).has_value()) << status;
    EXPECT_FALSE(Wait(Answered(status), Repeatable::kUnlessSeen).has_value()) << status;
  }
  for (const int status : {200, 202, 301, 400, 401, 403, 404, 409, 500, 501}) {
    EXPECT_FALSE(Wait(Answered(status), Repeatable::kAlways).has_value()) << status;
  }
}

TEST_F(RepeatTest, WhatAnotherTryCannotMendIsNotRepeated) {
  for (const Reason reason :
       {Reason::kDeadline, Reason::kReplyTooLarge, Reason::kPortalError, Reason::kQueueFull, Reason::kDraining}) {
    EXPECT_FALSE(Wait(Lost(Delivery::kNotSent, reason), Repeatable::kAlways).has_value()) << ReasonName(reason);
  }
}

TEST_F(RepeatTest, FirstLostConnectionIsReplacedAtOnceLaterOnesAfterAWait) {
  const auto lost = Lost(Delivery::kMaybeSent);
  EXPECT_EQ(Wait(lost, Repeatable::kAlways, 1), absl::ZeroDuration());
  for (const int attempts : {2, 3}) {
    const auto wait = Wait(lost, Repeatable::kAlways, attempts);
    ASSERT_TRUE(wait.has_value());
    EXPECT_LE(*wait, absl::Milliseconds(100) * (1 << (attempts - 1)));
  }
  EXPECT_FALSE(Wait(lost, Repeatable::kAlways, 4).has_value());
}

TEST_F(RepeatTest, WaitsDiffer) {
  const auto lost = Lost(Delivery::kMaybeSent);
  std::set<absl::Duration> waits;
  for (int i = 0; i < 20; ++i) waits.insert(*Wait(lost, Repeatable::kAlways, 3));
  EXPECT_GT(waits.size(), 10U);
}

TEST_F(RepeatTest, RetryAfterIsHeeded) {
  const auto wait = Wait(Answered(503, {{"Retry-After", "7"}}), Repeatable::kAlways);
  ASSERT_TRUE(wait.has_value());
  EXPECT_GE(*wait, absl::Seconds(7));
  EXPECT_LE(*wait, absl::Seconds(7) + absl::Milliseconds(100));
}

TEST_F(RepeatTest, RepeatsAreATenthOfTheCallsAndOneASecond) {
  const auto taken = [&] {
    int count = 0;
    while (budget_.Take()) ++count;
    return count;
  };
  EXPECT_EQ(taken(), 20);
  EXPECT_EQ(taken(), 0);
  for (int i = 0; i < 101; ++i) budget_.CountCall();
  EXPECT_EQ(taken(), 10);
  clock_.Advance(absl::Seconds(3));
  EXPECT_EQ(taken(), 3);
  clock_.Advance(absl::Hours(3));
  EXPECT_EQ(taken(), 20);
}

}  // namespace
}  // namespace lmbroker::portal
