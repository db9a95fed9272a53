#include "service/rpc/live_calls.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace lmbroker::rpc {
namespace {

class CountedCall final : public LiveCall {
 public:
  void JudgeAgain() override { ++judged; }
  void CutOff() override { ++cut; }
  void Recall() override { ++recalled; }
  int judged = 0;
  int cut = 0;
  int recalled = 0;
};

TEST(LiveCallsTest, EveryCallThatLivesIsFound) {
  LiveCalls calls;
  std::vector<std::unique_ptr<CountedCall>> live;
  for (int i = 0; i < 5; ++i) {
    live.push_back(std::make_unique<CountedCall>());
    calls.Add(*live.back());
  }
  live.erase(live.begin() + 2);
  live.erase(live.begin());
  calls.JudgeAgain();
  live.pop_back();
  calls.CutOff();
  calls.Recall();
  for (const auto& call : live) {
    EXPECT_EQ(call->judged, 1);
    EXPECT_EQ(call->cut, 1);
    EXPECT_EQ(call->recalled, 1);
  }
  live.clear();
  calls.JudgeAgain();
}

TEST(LiveCallsTest, ACallThatWasNotAddedGoesQuietly) {
  const CountedCall call;
  EXPECT_EQ(call.judged, 0);
}

}  // namespace
}  // namespace lmbroker::rpc
