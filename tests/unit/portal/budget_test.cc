#include "service/portal/budget.h"

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace lmbroker::portal {
namespace {

using absl::Seconds;

constexpr absl::Duration kStart = absl::Hours(1);
constexpr absl::Duration kMinute = absl::Minutes(1);

// Uses the budget `count` times, each answered at once, as long as there is room.
int Use(Budget& budget, int count, absl::Duration now, Priority priority = Priority::kNormal) {
  int used = 0;
  budget.Expire(now);
  for (; used < count && budget.HasRoom(priority, now); ++used) {
    budget.Take();
    budget.Settle(now);
  }
  return used;
}

TEST(BudgetTest, HoldsTheLimitInAWindow) {
  Budget budget({.limit = 3});
  EXPECT_EQ(Use(budget, 9, kStart), 3);
  EXPECT_EQ(budget.remaining(kStart), 0);
  EXPECT_EQ(Use(budget, 9, kStart + kMinute - absl::Nanoseconds(1)), 0);
  EXPECT_EQ(Use(budget, 9, kStart + kMinute), 3);
}

TEST(BudgetTest, RequestInFlightIsCountedUntilAWindowAfterItsAnswer) {
  Budget budget({.limit = 1});
  budget.Take();
  budget.Expire(kStart + absl::Hours(1));
  EXPECT_FALSE(budget.HasRoom(Priority::kNormal, kStart + absl::Hours(1)));
  budget.Settle(kStart + absl::Hours(1));
  budget.Expire(kStart + absl::Hours(1) + kMinute);
  EXPECT_TRUE(budget.HasRoom(Priority::kNormal, kStart + absl::Hours(1) + kMinute));
}

TEST(BudgetTest, WhatNeverLeftIsNotSpent) {
  Budget budget({.limit = 1});
  budget.Take();
  budget.Return();
  EXPECT_TRUE(budget.HasRoom(Priority::kNormal, kStart));
}

TEST(BudgetTest, TheReplySaysTheLimit) {
  Budget budget({.limit = 500});
  const auto taken = budget.Take();
  budget.Settle(kStart);
  budget.Learn(taken, {.limit = 20, .remaining = 19, .window = Seconds(10)}, kStart);
  EXPECT_EQ(budget.limit(), 20);
  EXPECT_EQ(budget.window(), Seconds(10));
  EXPECT_EQ(budget.remaining(kStart), 19);
}

TEST(BudgetTest, NonsenseIsNotLearned) {
  Budget budget({.limit = 500});
  for (const RateLimit& said : {RateLimit{.limit = 0, .remaining = 0, .window = kMinute},
                                RateLimit{.limit = 5, .remaining = 4, .window = absl::ZeroDuration()},
                                RateLimit{.limit = 5, .remaining = 4, .window = absl::Hours(2)},
                                RateLimit{.limit = 2'000'000'000, .remaining = 4, .window = kMinute}}) {
    const auto taken = budget.Take();
    budget.Settle(kStart);
    budget.Learn(taken, said, kStart);
    EXPECT_EQ(budget.limit(), 500);
    EXPECT_EQ(budget.window(), kMinute);
  }
}

TEST(BudgetTest, NeverBelowWhatTheOperatorSays) {
  Budget budget({.limit = 100, .least_limit = 100});
  const auto taken = budget.Take();
  budget.Settle(kStart);
  budget.Learn(taken, {.limit = 10, .remaining = 9, .window = kMinute}, kStart);
  EXPECT_EQ(budget.limit(), 100);
  budget.Learn(taken, {.limit = 300, .remaining = 299, .window = kMinute}, kStart);
  EXPECT_EQ(budget.limit(), 300);
}

TEST(BudgetTest, OthersSpendItToo) {
  Budget budget({.limit = 500});
  const auto taken = budget.Take();
  budget.Settle(kStart);
  budget.Learn(taken, {.limit = 500, .remaining = 10, .window = kMinute}, kStart);
  EXPECT_EQ(budget.remaining(kStart), 10);
  EXPECT_EQ(Use(budget, 99, kStart + Seconds(1)), 10);
  // Nobody told that they spent again, so a window later nothing of it can be left.
  EXPECT_EQ(budget.RoomAt(0, Priority::kNormal, kStart + Seconds(1)), kStart + kMinute);
  EXPECT_GE(Use(budget, 999, kStart + kMinute), 490);
}

// A burst: the first answers know nothing yet of the requests that are under way beside them.
TEST(BudgetTest, OurOwnRequestsInFlightAreNotTakenForOthers) {
  Budget budget({.limit = 20});
  std::vector<std::int64_t> taken;
  for (int i = 0; i < 20; ++i) taken.push_back(budget.Take());
  for (int i = 0; i < 20; ++i) {
    budget.Settle(kStart);
    budget.Learn(taken.at(i), {.limit = 20, .remaining = 19 - i, .window = kMinute}, kStart);
  }
  EXPECT_EQ(Use(budget, 99, kStart + kMinute), 20);
}

TEST(BudgetTest, WhatThePortalDidNotCountIsFree) {
  Budget budget({.limit = 200});
  EXPECT_EQ(Use(budget, 199, kStart), 199);  // refused with 401 and the like
  const auto taken = budget.Take();
  budget.Settle(kStart + Seconds(1));
  budget.Learn(taken, {.limit = 200, .remaining = 199, .window = kMinute}, kStart + Seconds(1));
  EXPECT_GE(budget.remaining(kStart + Seconds(1)), 198);
}

TEST(BudgetTest, TooManyRequestsEmptiesItUntilItsEnd) {
  Budget budget({.limit = 500});
  budget.Block(kStart + Seconds(7));
  budget.Block(kStart + Seconds(3));
  EXPECT_FALSE(budget.HasRoom(Priority::kReserved, kStart));
  EXPECT_EQ(budget.remaining(kStart), 0);
  EXPECT_EQ(budget.RoomAt(0, Priority::kNormal, kStart), kStart + Seconds(7));
  EXPECT_TRUE(budget.HasRoom(Priority::kNormal, kStart + Seconds(7)));
}

TEST(BudgetTest, ASliceIsReserved) {
  Budget budget({.limit = 100, .reserve = true});
  EXPECT_EQ(Use(budget, 999, kStart), 95);
  EXPECT_EQ(Use(budget, 999, kStart, Priority::kReserved), 5);
  Budget small({.limit = 5, .reserve = true});
  EXPECT_EQ(Use(small, 9, kStart), 4);
  Budget one({.limit = 1, .reserve = true});  // nothing to share
  EXPECT_EQ(Use(one, 9, kStart), 1);
}

TEST(BudgetTest, RoomIsToldAhead) {
  Budget budget({.limit = 2});
  Use(budget, 1, kStart);
  EXPECT_EQ(budget.RoomAt(0, Priority::kNormal, kStart), kStart);
  Use(budget, 1, kStart + Seconds(10));
  const absl::Duration now = kStart + Seconds(20);
  EXPECT_EQ(budget.RoomAt(0, Priority::kNormal, now), kStart + kMinute);
  EXPECT_EQ(budget.RoomAt(1, Priority::kNormal, now), kStart + Seconds(10) + kMinute);
  EXPECT_EQ(budget.RoomAt(2, Priority::kNormal, now), kStart + 2 * kMinute);
  EXPECT_EQ(budget.RoomAt(5, Priority::kNormal, now), kStart + Seconds(10) + 3 * kMinute);
}

// LM as it is known from outside: a rolling window over what it accepted.
class CountingPortal {
 public:
  CountingPortal(int limit, absl::Duration window) : limit_(limit), window_(window) {}

  // What the reply to a request says that is counted now; remaining is -1 with a 429.
  RateLimit Receive(absl::Duration now) {
    while (!accepted_.empty() && accepted_.front() <= now - window_) accepted_.pop_front();
    const int left = limit_ - static_cast<int>(accepted_.size());
    if (left > 0) accepted_.push_back(now);
    return {.limit = limit_, .remaining = left - 1, .window = window_};
  }

 private:
  const int limit_;
  const absl::Duration window_;
  std::deque<absl::Duration> accepted_;
};

// The promise of the class, on many random histories: greedy, with any latency, answers in any order, requests that
// fail uncounted, and answers that are lost, the portal never has to say 429.
TEST(BudgetTest, AlonePropertyNoWindowOfThePortalHoldsMoreThanTheLimit) {
  struct InFlight {
    absl::Duration arrives, answers;
    std::int64_t taken;
    bool arrived = false, counted = true, lost = false;
    RateLimit said{};
  };
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const auto draw = [&random](int most) { return static_cast<int>(random() % static_cast<unsigned>(most)); };
    const int limit = 1 + draw(40);
    CountingPortal portal(limit, Seconds(10));
    Budget budget({.limit = limit, .window = Seconds(10)});
    std::vector<InFlight> flying;
    int answered = 0;
    for (absl::Duration now = kStart; now < kStart + Seconds(100); now += absl::Milliseconds(10)) {
      for (InFlight& one : flying) {
        if (one.arrived || one.arrives > now) continue;
        one.arrived = true;
        if (one.counted) one.said = portal.Receive(now);
        ASSERT_GE(one.said.remaining, 0) << "429 with seed " << seed;
      }
      for (std::size_t i = 0; i < flying.size();) {
        if (flying[i].answers > now) {
          ++i;
          continue;
        }
        budget.Settle(now);
        if (flying[i].counted && !flying[i].lost) budget.Learn(flying[i].taken, flying[i].said, now);
        ++answered;
        flying[i] = flying.back();
        flying.pop_back();
      }
      budget.Expire(now);
      while (draw(3) > 0 && budget.HasRoom(Priority::kNormal, now)) {
        const absl::Duration arrives = now + absl::Milliseconds(10 * draw(100));
        flying.push_back({.arrives = arrives,
                          .answers = arrives + absl::Milliseconds(10 * draw(100)),
                          .taken = budget.Take(),
                          .counted = draw(10) > 0,
                          .lost = draw(10) == 0});
      }
    }
    EXPECT_GT(answered, 7 * limit) << seed;  // and it is used well: ten windows, less what is on its way
  }
}

}  // namespace
}  // namespace lmbroker::portal
