#include "service/base/byte_budget.h"

#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/base/error.h"

namespace lmbroker {
namespace {

TEST(ByteBudgetTest, BeyondTheLimitNothingIsTaken) {
  ByteBudget budget(100);
  ByteLease first(budget);
  ByteLease second(budget);
  EXPECT_TRUE(first.TryResize(60));
  EXPECT_FALSE(second.TryResize(41));
  EXPECT_EQ(budget.taken(), 60U);
  EXPECT_TRUE(second.TryResize(40));
  EXPECT_FALSE(first.TryGrow(1));
  EXPECT_EQ(first.bytes(), 60U);
  EXPECT_FALSE(first.TryResize(std::numeric_limits<std::size_t>::max()));
  EXPECT_EQ(budget.taken(), 100U);
}

TEST(ByteBudgetTest, WhatIsTakenIsGivenBackOnce) {
  ByteBudget budget(100);
  {
    ByteLease lease(budget);
    ASSERT_TRUE(lease.TryResize(60));
    ByteLease moved = std::move(lease);
    EXPECT_EQ(lease.bytes(), 0U);  // NOLINT(bugprone-use-after-move): that is what is asked
    EXPECT_TRUE(lease.TryResize(500));
    EXPECT_EQ(budget.taken(), 60U);
    ByteLease assigned(budget);
    ASSERT_TRUE(assigned.TryResize(10));
    assigned = std::move(moved);
    EXPECT_EQ(assigned.bytes(), 60U);
  }
  EXPECT_EQ(budget.taken(), 0U);
}

TEST(ByteBudgetTest, ALeaseShrinks) {
  ByteBudget budget(100);
  ByteLease lease(budget);
  ASSERT_TRUE(lease.TryResize(100));
  EXPECT_TRUE(lease.TryResize(30));
  EXPECT_EQ(budget.taken(), 30U);
  EXPECT_TRUE(lease.TryResize(0));
  EXPECT_EQ(budget.taken(), 0U);
}

TEST(ByteBudgetTest, ALeaseOfNoBudgetAlwaysHasRoom) {
  ByteLease lease;
  EXPECT_TRUE(lease.TryResize(std::numeric_limits<std::size_t>::max()));
}

TEST(ByteBudgetTest, ManyThreadsNeverTakeTooMuch) {
  ByteBudget budget(10);
  std::vector<std::thread> threads;
  for (std::size_t number = 1; number <= 4; ++number) {
    threads.emplace_back([&budget, number] {
      for (int i = 0; i < 10'000; ++i) {
        ByteLease lease(budget);
        lease.TryResize(number);
        EXPECT_LE(budget.taken(), 10U);
        lease.TryGrow(number);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(budget.taken(), 0U);
}

TEST(ByteBudgetTest, NoRoomIsARefusalThatSaysWhenToComeBack) {
  const absl::Status refused = NoRoomFor("the request");
  EXPECT_TRUE(IsRefusal(refused, Reason::kQueueFull));
  EXPECT_EQ(MetadataOf(refused)["limit"], "memory");
  EXPECT_TRUE(refused.GetPayload("type.googleapis.com/google.rpc.RetryInfo").has_value());
}

}  // namespace
}  // namespace lmbroker
