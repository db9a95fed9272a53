#include "service/base/ticker.h"

#include <atomic>
#include <latch>

#include <gtest/gtest.h>

namespace lmbroker {
namespace {

TEST(TickerTest, WorkIsDoneAgainAndAgain) {
  std::latch thrice(3);
  std::atomic<int> runs = 0;
  const Ticker ticker(absl::Milliseconds(1), [&] {
    if (++runs <= 3) thrice.count_down();
  });
  thrice.wait();
  EXPECT_GE(runs, 3);
}

TEST(TickerTest, APokeDoesNotWaitForTheInterval) {
  std::latch once(1);
  std::atomic<int> runs = 0;
  Ticker ticker(absl::Hours(1), [&] {
    if (++runs == 1) once.count_down();
  });
  ticker.Poke();
  once.wait();
  EXPECT_GE(runs, 1);
}

TEST(TickerTest, ItsEndDoesNotWaitForTheInterval) {
  std::atomic<int> runs = 0;
  {
    const Ticker ticker(absl::Hours(1), [&] { ++runs; });
  }
  EXPECT_EQ(runs, 0);
}

}  // namespace
}  // namespace lmbroker
