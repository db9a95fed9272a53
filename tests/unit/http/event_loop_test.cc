#include "service/http/event_loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <semaphore>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace lmbroker::http {
namespace {

class EventLoopTest : public testing::Test {
 protected:
  void SetUp() override {
    auto loop = EventLoop::Create(clock_);
    ASSERT_THAT(loop, IsOk());
    loop_ = *std::move(loop);
  }

  SystemClock clock_;
  std::unique_ptr<EventLoop> loop_;
};

TEST_F(EventLoopTest, PostedWorkRunsInOrderOnOneOtherThread) {
  std::vector<int> order;
  std::promise<std::thread::id> thread;
  loop_->Post([&] { order.push_back(1); });
  loop_->Post([&] { order.push_back(2); });
  loop_->Post([&] { thread.set_value(std::this_thread::get_id()); });
  EXPECT_NE(thread.get_future().get(), std::this_thread::get_id());
  EXPECT_THAT(order, testing::ElementsAre(1, 2));
}

TEST_F(EventLoopTest, WhatWasPostedStillRunsAtTheEnd) {
  std::atomic<int> ran = 0;
  for (int i = 0; i < 100; ++i) loop_->Post([&] { ++ran; });
  loop_.reset();
  EXPECT_EQ(ran, 100);
}

TEST_F(EventLoopTest, TimersRunInTheOrderOfTheirTimes) {
  std::vector<int> order;
  std::promise<void> last;
  const absl::Duration now = clock_.Monotonic();
  loop_->AddTimer(now + absl::Milliseconds(30), [&] {
    order.push_back(3);
    last.set_value();
  });
  loop_->AddTimer(now + absl::Milliseconds(20), [&] { order.push_back(2); });
  loop_->AddTimer(now - absl::Seconds(1), [&] { order.push_back(1); });
  last.get_future().wait();
  EXPECT_GE(clock_.Monotonic(), now + absl::Milliseconds(30));
  EXPECT_THAT(order, testing::ElementsAre(1, 2, 3));
}

TEST_F(EventLoopTest, CancelledTimerDoesNotRun) {
  std::atomic<bool> ran = false;
  std::promise<void> last;
  const absl::Duration now = clock_.Monotonic();
  loop_->CancelTimer(loop_->AddTimer(now + absl::Milliseconds(5), [&] { ran = true; }));
  loop_->AddTimer(now + absl::Milliseconds(10), [&] { last.set_value(); });
  last.get_future().wait();
  EXPECT_FALSE(ran);
}

TEST_F(EventLoopTest, DueTimerMayCancelAnotherDueOne) {
  std::promise<bool> ran;
  loop_->Post([&] {
    const absl::Duration past = clock_.Monotonic() - absl::Seconds(1);
    auto second = std::make_shared<EventLoop::Timer>();
    loop_->AddTimer(past, [this, second] { loop_->CancelTimer(*second); });
    *second = loop_->AddTimer(past, [&] { ran.set_value(true); });
    loop_->AddTimer(past, [&] { ran.set_value(false); });
  });
  EXPECT_FALSE(ran.get_future().get());
}

TEST_F(EventLoopTest, WatcherIsToldUntilUnwatched) {
  struct Reader final : EventLoop::Watcher {
    void OnEvents(int socket, std::uint32_t) override {
      char byte = 0;
      if (read(socket, &byte, 1) == 1) bytes.push_back(byte);
      if (bytes.size() == 2) done.set_value();
    }
    std::string bytes;
    std::promise<void> done;
  } reader;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  loop_->Post([&] { loop_->Watch(ends[0], EPOLLIN, reader); });
  ASSERT_EQ(write(ends[1], "ab", 2), 2);
  reader.done.get_future().wait();
  std::promise<void> unwatched;
  loop_->Post([&] {
    loop_->Unwatch(ends[0]);
    unwatched.set_value();
  });
  unwatched.get_future().wait();
  ASSERT_EQ(write(ends[1], "c", 1), 1);
  loop_.reset();
  EXPECT_EQ(reader.bytes, "ab");
  close(ends[0]);
  close(ends[1]);
}

TEST_F(EventLoopTest, WorkKnowsThatItRunsOnTheLoop) {
  std::promise<bool> inside;
  loop_->Post([&] { inside.set_value(loop_->OnThread()); });
  EXPECT_TRUE(inside.get_future().get());
  EXPECT_FALSE(loop_->OnThread());
}

TEST_F(EventLoopTest, ASleepingLoopIsWokenForASocketEachTime) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(pipe2(pipe.data(), O_NONBLOCK | O_CLOEXEC), 0);
  struct Reader final : EventLoop::Watcher {
    void OnEvents(int socket, std::uint32_t) override {
      char byte = 0;
      if (read(socket, &byte, 1) == 1) came.release();
    }
    std::counting_semaphore<> came{0};
  } reader;
  EventLoop* const loop = loop_.get();
  loop->Post([&] { loop->Watch(pipe[0], EPOLLIN | EPOLLET, reader); });
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_EQ(write(pipe[1], "x", 1), 1);
    reader.came.acquire();
  }
  loop->Post([&] { loop->Unwatch(pipe[0]); });
  loop_.reset();
  close(pipe[0]);
  close(pipe[1]);
}

TEST_F(EventLoopTest, WorkThatPostsWorkSeesItRunInTheNextTurn) {
  std::promise<int> ran;
  loop_->Post([&] { loop_->Post([&] { loop_->Post([&] { ran.set_value(3); }); }); });
  EXPECT_EQ(ran.get_future().get(), 3);
}

}  // namespace
}  // namespace lmbroker::http
