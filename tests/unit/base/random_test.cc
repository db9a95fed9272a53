#include "service/base/random.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/fakes/fake_random.h"

namespace lmbroker {
namespace {

TEST(RandomTest, UuidsAreOfVersionFourAndLowerCase) {
  SystemRandom random;
  for (int i = 0; i < 100; ++i) {
    const std::string uuid = RandomUuid(random);
    EXPECT_TRUE(IsUuid(uuid)) << uuid;
    EXPECT_EQ(uuid[14], '4') << uuid;
    EXPECT_NE(std::string_view("89ab").find(uuid[19]), std::string_view::npos) << uuid;
    EXPECT_TRUE(std::none_of(uuid.begin(), uuid.end(), [](unsigned char c) { return std::isupper(c) != 0; })) << uuid;
  }
}

TEST(RandomTest, UuidsDoNotRepeat) {
  SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(RandomUuid(random)).second);
}

TEST(RandomTest, FillsEveryByte) {
  SystemRandom random;
  std::array<std::byte, 64> any{};
  for (int i = 0; i < 64; ++i) {
    std::array<std::byte, 64> bytes{};
    random.Fill(bytes);
    for (std::size_t at = 0; at < bytes.size(); ++at) any[at] |= bytes[at];
  }
  EXPECT_TRUE(std::all_of(any.begin(), any.end(), [](std::byte byte) { return byte != std::byte{0}; }));
  random.Fill({});
}

TEST(RandomTest, BufferedOneGivesWhatItsSourceGivesAndNothingTwice) {
  FakeRandom source(7);
  FakeRandom same(7);
  BufferedRandom buffered(source);
  std::array<std::byte, 1024> whole{};
  same.Fill(whole);
  for (std::size_t i = 0; i < whole.size(); i += 16) {
    std::array<std::byte, 16> piece{};
    buffered.Fill(piece);
    ASSERT_TRUE(std::equal(piece.begin(), piece.end(), whole.begin() + static_cast<std::ptrdiff_t>(i)));
  }
  std::array<std::byte, 5000> large{};
  buffered.Fill(large);
  EXPECT_GT(std::count(large.begin(), large.end(), std::byte{0}), 0);
  EXPECT_LT(std::count(large.begin(), large.end(), std::byte{0}), 100);
}

TEST(RandomTest, FakeRepeatsItselfBySeed) {
  FakeRandom one(7);
  FakeRandom same(7);
  FakeRandom other(8);
  const std::string uuid = RandomUuid(one);
  EXPECT_EQ(RandomUuid(same), uuid);
  EXPECT_NE(RandomUuid(other), uuid);
  EXPECT_NE(RandomUuid(one), uuid);
}

TEST(UuidTest, TextFormInEitherCase) {
  for (const std::string_view text : {"00000000-0000-0000-0000-000000000000", "0f8fad5b-d9cb-469f-a165-70867728950e",
                                      "0F8FAD5B-D9CB-469F-A165-70867728950E"}) {
    EXPECT_TRUE(IsUuid(text)) << text;
  }
}

TEST(UuidTest, AnythingElseIsRefused) {
  for (const std::string_view text :
       {"", "0f8fad5b", "0f8fad5bd9cb469fa16570867728950e", "{0f8fad5b-d9cb-469f-a165-70867728950e}",
        "0f8fad5b-d9cb-469f-a165-70867728950", "0f8fad5b-d9cb-469f-a165-70867728950e0",
        "0f8fad5b-d9cb-469f-a165-70867728950g", "0f8fad5b_d9cb-469f-a165-70867728950e",
        "0f8fad5bd-9cb-469f-a165-70867728950e", " f8fad5b-d9cb-469f-a165-70867728950e",
        "0f8fad5b-d9cb-469f-a165-7086772895\n0"}) {
    EXPECT_FALSE(IsUuid(text)) << text;
  }
}

}  // namespace
}  // namespace lmbroker
