#include "service/core/open_keys.h"

#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

namespace lmbroker::core {
namespace {

TEST(OpenKeysTest, CountsThePlacesThatAreTaken) {
  const auto keys = std::make_shared<OpenKeys>();
  EXPECT_EQ(keys->WaitForNone(absl::ZeroDuration()), 0);
  std::optional<OpenKeys::Place> one(keys);
  const OpenKeys::Place none;
  {
    OpenKeys::Place two(keys);
    const OpenKeys::Place moved(std::move(two));
    EXPECT_EQ(keys->WaitForNone(absl::ZeroDuration()), 2);
  }
  EXPECT_EQ(keys->WaitForNone(absl::ZeroDuration()), 1);
  one.reset();
  EXPECT_EQ(keys->WaitForNone(absl::ZeroDuration()), 0);
}

TEST(OpenKeysTest, WaitEndsWithTheLastKey) {
  const auto keys = std::make_shared<OpenKeys>();
  auto place = std::make_unique<OpenKeys::Place>(keys);
  std::thread other([&place] { place.reset(); });
  EXPECT_EQ(keys->WaitForNone(absl::Minutes(1)), 0);
  other.join();
}

}  // namespace
}  // namespace lmbroker::core
