#include "service/h2/connection_count.h"

#include <optional>
#include <utility>

#include <gtest/gtest.h>

namespace lmbroker::h2 {
namespace {

TEST(ConnectionCountTest, NoneBeyondTheLimitUntilOneEnds) {
  ConnectionCount count(2);
  auto first = count.TryEnter();
  const auto second = count.TryEnter();
  EXPECT_TRUE(first.has_value() && second.has_value());
  EXPECT_FALSE(count.TryEnter().has_value());
  EXPECT_EQ(count.open(), 2U);
  first.reset();
  EXPECT_EQ(count.open(), 1U);
  EXPECT_TRUE(count.TryEnter().has_value());
}

TEST(ConnectionCountTest, APlaceThatMovedIsCountedOnce) {
  ConnectionCount count(2);
  auto first = count.TryEnter();
  const ConnectionCount::Place moved = *std::move(first);
  first.reset();
  EXPECT_EQ(count.open(), 1U);
}

TEST(ConnectionCountTest, APlaceMayOutliveTheCount) {
  std::optional<ConnectionCount::Place> place;
  {
    ConnectionCount count(1);
    place.emplace(*count.TryEnter());
  }
  place.reset();
}

}  // namespace
}  // namespace lmbroker::h2
