#include "service/base/executor.h"

#include <atomic>
#include <cstddef>
#include <future>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/base/mutex.h"

namespace lmbroker {
namespace {

TEST(ExecutorTest, RunsWorkOnAnotherThread) {
  std::promise<std::thread::id> ran;
  Executor executor({.threads = 1});
  ASSERT_TRUE(executor.TryPost([&] { ran.set_value(std::this_thread::get_id()); }));
  EXPECT_NE(ran.get_future().get(), std::this_thread::get_id());
}

TEST(ExecutorTest, WorkMayOwnWhatCannotBeCopied) {
  std::promise<int> result;
  {
    Executor executor({.threads = 1});
    auto owned = std::make_unique<int>(7);
    ASSERT_TRUE(executor.TryPost([&result, owned = std::move(owned)] { result.set_value(*owned); }));
  }
  EXPECT_EQ(result.get_future().get(), 7);
}

TEST(ExecutorTest, ThreadsWorkAtTheSameTime) {
  std::promise<void> all_here;
  const std::shared_future<void> go = all_here.get_future().share();
  std::atomic<int> waiting = 0;
  std::promise<void> done;
  Executor executor({.threads = 3});
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(executor.TryPost([&] {
      if (++waiting == 3) done.set_value();
      go.wait();
    }));
  }
  done.get_future().wait();  // each of the three waits for the others
  all_here.set_value();
}

// Law 7: everything is bounded.
TEST(ExecutorTest, FullQueueRefusesAtOnceAndDropsTheWork) {
  std::promise<void> release;
  std::promise<void> started;
  std::atomic<int> ran = 0;
  const auto token = std::make_shared<int>(0);
  {
    Executor executor({.threads = 1, .most_queued = 2});
    ASSERT_TRUE(executor.TryPost([&] {
      started.set_value();
      release.get_future().wait();
    }));
    started.get_future().wait();
    EXPECT_TRUE(executor.TryPost([&] { ++ran; }));
    EXPECT_TRUE(executor.TryPost([&] { ++ran; }));
    EXPECT_FALSE(executor.TryPost([&ran, token] { ++ran; }));
    EXPECT_EQ(token.use_count(), 1) << "the refused work is gone";
    release.set_value();
  }
  EXPECT_EQ(ran, 2);
}

TEST(ExecutorTest, DestructorRunsWhatWasAccepted) {
  std::atomic<int> ran = 0;
  int accepted = 0;
  {
    Executor executor({.threads = 2, .most_queued = 1000});
    for (int i = 0; i < 1000; ++i) accepted += executor.TryPost([&] { ++ran; }) ? 1 : 0;
  }
  EXPECT_EQ(ran, accepted);
  EXPECT_EQ(accepted, 1000);
}

TEST(ExecutorTest, WorkMayPostWork) {
  std::promise<void> done;
  Executor executor({.threads = 1});
  ASSERT_TRUE(executor.TryPost([&] { EXPECT_TRUE(executor.TryPost([&] { done.set_value(); })); }));
  done.get_future().wait();
}

}  // namespace
}  // namespace lmbroker
