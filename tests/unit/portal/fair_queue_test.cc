#include "service/portal/fair_queue.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lmbroker::portal {
namespace {

using testing::ElementsAre;

class FairQueueTest : public testing::Test {
 protected:
  using Queue = FairQueue<std::string>;

  Queue::Place Push(const std::string& caller, int weight = 1, Priority priority = Priority::kNormal) {
    return queue_.Push(caller, weight, priority, caller);
  }
  std::vector<std::string> PopAll() {
    std::vector<std::string> served;
    while (!queue_.empty()) served.push_back(queue_.PopFirst());
    return served;
  }

  Queue queue_;
};

TEST_F(FairQueueTest, OneWhoAsksMuchDoesNotDelayTheOthers) {
  for (int i = 0; i < 4; ++i) Push("greedy");
  Push("modest");
  EXPECT_THAT(PopAll(), ElementsAre("greedy", "modest", "greedy", "greedy", "greedy"));
}

TEST_F(FairQueueTest, WeightIsTheShare) {
  for (int i = 0; i < 3; ++i) Push("light");
  for (int i = 0; i < 6; ++i) Push("heavy", 2);
  EXPECT_THAT(PopAll(), ElementsAre("heavy", "light", "heavy", "heavy", "light", "heavy", "heavy", "light", "heavy"));
}

TEST_F(FairQueueTest, ReservedComesBeforeAll) {
  Push("greedy", 1000);
  Push("first", 1, Priority::kReserved);
  Push("second", 1, Priority::kReserved);
  EXPECT_THAT(PopAll(), ElementsAre("first", "second", "greedy"));
}

TEST_F(FairQueueTest, WaitingEarnsNoCredit) {
  for (int i = 0; i < 4; ++i) Push("busy");
  queue_.PopFirst();
  queue_.PopFirst();
  for (int i = 0; i < 4; ++i) Push("late");  // was not there; starts where the others are
  EXPECT_THAT(PopAll(), ElementsAre("busy", "late", "busy", "late", "late", "late"));
}

TEST_F(FairQueueTest, TheLastIsTheOneWhoWouldBeServedLast) {
  Push("greedy");
  Push("greedy");
  Push("modest");
  EXPECT_EQ(queue_.PopLast(), "greedy");
  EXPECT_THAT(PopAll(), ElementsAre("greedy", "modest"));
}

// Whoever gave up, or had to go, does not pay for the turns that were not taken.
TEST_F(FairQueueTest, TurnThatIsNotTakenIsNotPaid) {
  Push("a");
  for (int i = 0; i < 3; ++i) queue_.Erase(Push("a"));
  for (int i = 0; i < 3; ++i) Push("a");
  for (int i = 0; i < 3; ++i) queue_.PopLast();
  Push("b");
  Push("b");
  Push("a");
  EXPECT_THAT(PopAll(), ElementsAre("a", "b", "b", "a"));
}

TEST_F(FairQueueTest, PlaceOfANewcomerIsTold) {
  for (int i = 0; i < 3; ++i) Push("busy");
  EXPECT_EQ(queue_.Ahead("busy", 1, Priority::kNormal), 3U);
  EXPECT_EQ(queue_.Ahead("modest", 1, Priority::kNormal), 1U);
  EXPECT_EQ(queue_.Ahead("heavy", 10, Priority::kNormal), 0U);
  EXPECT_EQ(queue_.Ahead("any", 1, Priority::kReserved), 0U);
  EXPECT_TRUE(queue_.WouldBeLast("busy", 1, Priority::kNormal));
  EXPECT_FALSE(queue_.WouldBeLast("modest", 1, Priority::kNormal));
  EXPECT_FALSE(queue_.WouldBeLast("any", 1, Priority::kReserved));
  Push("urgent", 1, Priority::kReserved);
  EXPECT_EQ(queue_.Ahead("modest", 1, Priority::kNormal), 2U);
  EXPECT_EQ(queue_.Ahead("urgent", 1, Priority::kReserved), 1U);
}

TEST_F(FairQueueTest, SomeLeaveInTheOrderOfTheirTurns) {
  for (int i = 0; i < 2; ++i) Push("a");
  Push("b");
  Push("urgent", 1, Priority::kReserved);
  std::vector<std::string> asked;
  queue_.EraseIf([&asked](Priority, const std::string& caller) {
    asked.push_back(caller);
    return caller == "b";
  });
  EXPECT_THAT(asked, ElementsAre("urgent", "a", "b", "a"));
  EXPECT_THAT(PopAll(), ElementsAre("urgent", "a", "a"));
}

TEST_F(FairQueueTest, OneWhoLeavesIsNotServed) {
  Push("a");
  const auto place = Push("b");
  Push("c");
  queue_.Erase(place);
  EXPECT_THAT(PopAll(), ElementsAre("a", "c"));
}

// Twenty callers of different weight who always have something to send.
TEST_F(FairQueueTest, SharesFollowWeightsAndNobodyStarves) {
  constexpr int kCallers = 20;
  std::map<std::string, int> weights;
  for (int i = 1; i <= kCallers; ++i) weights["caller" + std::to_string(i)] = i * i;
  for (const auto& [caller, weight] : weights) {
    for (int i = 0; i < 5; ++i) Push(caller, weight);
  }
  std::map<std::string, int> served;
  std::map<std::string, int> last;
  constexpr int kTurns = 28'700;  // ten times the sum of the weights
  for (int turn = 0; turn < kTurns; ++turn) {
    const std::string caller = queue_.PopFirst();
    ++served[caller];
    EXPECT_LE(turn - last[caller], 2 * 2870 / weights[caller] + kCallers) << caller;
    last[caller] = turn;
    Push(caller, weights[caller]);
  }
  for (const auto& [caller, weight] : weights) {
    EXPECT_NEAR(served[caller], 10 * weight, std::max(1.0, 0.05 * 10 * weight)) << caller;
  }
}

}  // namespace
}  // namespace lmbroker::portal
