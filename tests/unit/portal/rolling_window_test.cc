#include "service/portal/rolling_window.h"

#include <gtest/gtest.h>

namespace lmbroker::portal {
namespace {

using absl::Seconds;

TEST(RollingWindowTest, UseLeavesAWindowLater) {
  RollingWindow window(Seconds(60));
  window.Add(Seconds(100));
  window.Add(Seconds(130));
  EXPECT_EQ(window.count(), 2);
  EXPECT_EQ(window.LeavesAt(1), Seconds(160));
  EXPECT_EQ(window.LeavesAt(2), Seconds(190));
  window.Expire(Seconds(160) - absl::Nanoseconds(1));
  EXPECT_EQ(window.count(), 2);
  window.Expire(Seconds(160));
  EXPECT_EQ(window.count(), 1);
  EXPECT_EQ(window.added(), 2);
  window.Expire(Seconds(1000));
  EXPECT_EQ(window.count(), 0);
}

// Bounded memory may keep a use a little too long, never too short.
TEST(RollingWindowTest, NoUseLeavesEarlyAndNoneStaysMuchLonger) {
  RollingWindow window(Seconds(60));
  constexpr int kUses = 10'000;
  const auto at = [](int use) { return absl::Milliseconds(6 * use); };
  for (int use = 0; use < kUses; ++use) window.Add(at(use));
  for (int use = 0; use < kUses; ++use) {
    EXPECT_GE(window.LeavesAt(use + 1), at(use) + Seconds(60));
    EXPECT_LE(window.LeavesAt(use + 1), at(use) + Seconds(60) * 1.005);
  }
}

TEST(RollingWindowTest, NewLengthHoldsForUsesOfTheOld) {
  RollingWindow window(Seconds(60));
  window.Add(Seconds(0));
  window.set_length(Seconds(10));
  EXPECT_EQ(window.LeavesAt(1), Seconds(10));
}

TEST(RollingWindowTest, TheOldestAreDroppedFirst) {
  RollingWindow window(Seconds(60));
  for (const int second : {0, 10, 10, 20}) window.Add(Seconds(second));
  window.DropOldest(2);
  EXPECT_EQ(window.count(), 2);
  EXPECT_EQ(window.LeavesAt(1), Seconds(70));
  EXPECT_EQ(window.LeavesAt(2), Seconds(80));
  window.DropOldest(5);
  EXPECT_EQ(window.count(), 0);
}

}  // namespace
}  // namespace lmbroker::portal
