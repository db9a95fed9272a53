#include "service/rpc/connection_count.h"

#include <sys/socket.h>

#include <optional>

#include <gtest/gtest.h>

#include "service/base/descriptor.h"

namespace lmbroker::rpc {
namespace {

Descriptor OpenSocket() { return Descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

TEST(ConnectionCountTest, BeyondTheLimitNoneIsAdded) {
  ConnectionCount count(2);
  const Descriptor first = OpenSocket();
  const Descriptor second = OpenSocket();
  const Descriptor third = OpenSocket();
  EXPECT_TRUE(count.TryAdd(first.get()));
  EXPECT_TRUE(count.TryAdd(second.get()));
  EXPECT_FALSE(count.TryAdd(third.get()));
  EXPECT_EQ(count.Open(), 2U);
}

TEST(ConnectionCountTest, AClosedOneMakesRoom) {
  ConnectionCount count(1);
  std::optional<Descriptor> first = OpenSocket();
  const Descriptor second = OpenSocket();
  ASSERT_TRUE(count.TryAdd(first->get()));
  ASSERT_FALSE(count.TryAdd(second.get()));
  first.reset();
  EXPECT_TRUE(count.TryAdd(second.get()));
  EXPECT_EQ(count.Open(), 1U);
}

TEST(ConnectionCountTest, ANumberInUseAgainIsAnotherSocket) {
  ConnectionCount count(5);
  std::optional<Descriptor> first = OpenSocket();
  ASSERT_TRUE(count.TryAdd(first->get()));
  const int number = first->get();
  first.reset();
  const Descriptor other = OpenSocket();
  ASSERT_EQ(other.get(), number);  // the kernel gives the lowest free one
  EXPECT_EQ(count.Open(), 0U);
  EXPECT_TRUE(count.TryAdd(other.get()));
  EXPECT_TRUE(count.TryAdd(other.get()));
  EXPECT_EQ(count.Open(), 1U);
}

TEST(ConnectionCountTest, WhatIsNotOpenIsNotAdded) {
  ConnectionCount count(5);
  EXPECT_FALSE(count.TryAdd(-1));
  EXPECT_EQ(count.Open(), 0U);
}

}  // namespace
}  // namespace lmbroker::rpc
