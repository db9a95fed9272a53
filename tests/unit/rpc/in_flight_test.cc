#include "service/rpc/in_flight.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/base/error.h"

namespace lmbroker::rpc {
namespace {

TEST(InFlightTest, BeyondTheTotalIsQueueFull) {
  InFlight calls({.total = 2, .per_caller = 2});
  const auto first = calls.Enter("a");
  const auto second = calls.Enter("b");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(IsRefusal(calls.Enter("c").status(), Reason::kQueueFull));
  EXPECT_EQ(calls.total(), 2U);
}

TEST(InFlightTest, OneCallerCannotTakeEveryPlace) {
  InFlight calls({.total = 10, .per_caller = 1});
  const auto first = calls.Enter("a");
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(IsRefusal(calls.Enter("a").status(), Reason::kCallerLimit));
  EXPECT_TRUE(calls.Enter("b").ok());
}

TEST(InFlightTest, APlaceIsFreeAgainWhenItsCallEnds) {
  InFlight calls({.total = 1, .per_caller = 1});
  {
    auto place = calls.Enter("a");
    ASSERT_TRUE(place.ok());
    const InFlight::Place moved = *std::move(place);
    EXPECT_EQ(calls.total(), 1U);
  }
  EXPECT_EQ(calls.total(), 0U);
  EXPECT_TRUE(calls.Enter("a").ok());
}

TEST(InFlightTest, MovingOntoAHeldPlaceKeepsBothCounted) {
  InFlight calls({.total = 4, .per_caller = 4});
  InFlight::Place a = *calls.Enter("a");
  {
    InFlight::Place b = *calls.Enter("b");
    a = std::move(b);
    EXPECT_EQ(calls.total(), 2U);
  }
  EXPECT_EQ(calls.total(), 1U);
}

}  // namespace
}  // namespace lmbroker::rpc
