#include "service/base/task.h"

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/base/executor.h"

namespace lmbroker {
namespace {

// Awaits a thread of the executor: whoever awaits goes on there. Goes on here when the queue is full.
class Hop {
 public:
  explicit Hop(Executor& executor) : executor_(executor) {}
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) {
    return executor_.TryPost([waiter] { waiter.resume(); });
  }
  void await_resume() const noexcept {}

 private:
  Executor& executor_;
};

Task<int> Value(int value) { co_return value; }

Task<int> Sum(int count) {
  int sum = 0;
  for (int i = 1; i <= count; ++i) {
    Task<int> next = Value(i);
    const int value = co_await next;
    sum += value;
  }
  co_return sum;
}

Task<int> Depth(int depth) {
  if (depth == 0) co_return 0;
  Task<int> below = Depth(depth - 1);
  const int value = co_await below;
  co_return value + 1;
}

Task<std::thread::id> ThreadAfterHop(Executor* executor) {
  Hop hop(*executor);
  co_await hop;
  co_return std::this_thread::get_id();
}

Task<std::unique_ptr<std::string>> Owned(std::string text) { co_return std::make_unique<std::string>(std::move(text)); }

Task<int> SumOverThreads(Executor* executor, int count) {
  int sum = 0;
  for (int i = 1; i <= count; ++i) {
    Hop hop(*executor);
    co_await hop;
    Task<int> next = Value(i);
    const int value = co_await next;
    sum += value;
  }
  co_return sum;
}

Task<bool> Flagged(std::shared_ptr<bool> ran) {
  *ran = true;
  co_return true;
}

template <class T>
T RunToEnd(Task<T> task) {
  std::promise<T> promise;
  std::future<T> result = promise.get_future();
  Start(std::move(task), [promise = std::move(promise)](T value) mutable { promise.set_value(std::move(value)); });
  return result.get();
}

TEST(TaskTest, ValueIsDelivered) {
  EXPECT_EQ(RunToEnd(Value(7)), 7);
  EXPECT_EQ(RunToEnd(Sum(100)), 5050);
}

TEST(TaskTest, ValueMayBeMoveOnly) { EXPECT_EQ(*RunToEnd(Owned("text")), "text"); }

TEST(TaskTest, DoesNotRunUntilItIsStarted) {
  const auto ran = std::make_shared<bool>(false);
  {
    Task<bool> task = Flagged(ran);
    EXPECT_FALSE(*ran);
    Start(std::move(task), [](bool) {});
  }
  EXPECT_TRUE(*ran);
}

TEST(TaskTest, TaskThatIsNeverStartedFreesItsArguments) {
  const auto ran = std::make_shared<bool>(false);
  {
    const Task<bool> task = Flagged(ran);
  }
  EXPECT_FALSE(*ran);
  EXPECT_EQ(ran.use_count(), 1);
}

TEST(TaskTest, FinishedTaskFreesItsArguments) {
  const auto ran = std::make_shared<bool>(false);
  EXPECT_TRUE(RunToEnd(Flagged(ran)));
  EXPECT_EQ(ran.use_count(), 1);
}

TEST(TaskTest, GoesOnWhereTheAwaitedThingEnds) {
  std::promise<std::thread::id> ended;
  Executor executor({.threads = 1});
  Start(ThreadAfterHop(&executor), [&](std::thread::id inside) {
    ended.set_value(inside == std::this_thread::get_id() ? inside : std::thread::id());
  });
  const std::thread::id thread = ended.get_future().get();
  EXPECT_NE(thread, std::thread::id()) << "`done` runs on the thread on which the task ends";
  EXPECT_NE(thread, std::this_thread::get_id());
}

// Awaiting jumps and does not nest where the compiler makes tail calls; builds for tests have a stack for this.
TEST(TaskTest, DeepChainsReturnThroughEveryLevel) { EXPECT_EQ(RunToEnd(Depth(1000)), 1000); }

TEST(TaskTest, HundredThousandCallsOverThreads) {
  constexpr int kCalls = 100'000;
  std::atomic<int> finished = 0;
  std::atomic<std::int64_t> sum = 0;
  {
    Executor executor({.threads = 4, .most_queued = 100'000});
    for (int i = 0; i < kCalls; ++i) {
      Start(SumOverThreads(&executor, 3), [&](int value) {
        sum += value;
        ++finished;
      });
    }
    while (finished < kCalls) std::this_thread::yield();
  }
  EXPECT_EQ(sum, std::int64_t{kCalls} * 6);
}

}  // namespace
}  // namespace lmbroker
