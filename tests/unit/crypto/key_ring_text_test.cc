#include "service/crypto/key_ring_text.h"

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace lmbroker::crypto {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kBytes = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";  // 00 01 … 1f

std::string Key(int version, std::string_view state) {
  return fmt::format(R"({{"version": {}, "state": "{}", "create_time": "2026-01-31T12:00:00Z", "key": "{}"}})", version,
                     state, kBytes);
}

std::string Ring(std::string_view keys) {
  return fmt::format(R"({{"format": "lmbroker-keyring-1", "keys": [{}]}})", keys);
}

TEST(KeyRingTextTest, ReadsEveryField) {
  const auto keys = ParseKeyRing(Ring(Key(1, "retired") + "," + Key(7, "primary") + "," + Key(3, "active")));
  ASSERT_THAT(keys, IsOk());
  ASSERT_EQ(keys->size(), 3U);
  EXPECT_EQ((*keys)[0].info.state, KeyState::kRetired);
  EXPECT_EQ((*keys)[1].info.version, 7U);
  EXPECT_EQ((*keys)[1].info.state, KeyState::kPrimary);
  EXPECT_EQ((*keys)[1].info.create_time, absl::FromUnixSeconds(1769860800));
  EXPECT_EQ((*keys)[1].key.size(), 32U);
  EXPECT_EQ((*keys)[1].key.Reveal().substr(1, 3), "\x01\x02\x03");
  EXPECT_EQ((*keys)[2].info.state, KeyState::kActive);
}

TEST(KeyRingTextTest, WhatIsWrittenReadsBack) {
  const auto keys = ParseKeyRing(Ring(Key(2, "primary") + "," + Key(1, "active")));
  ASSERT_THAT(keys, IsOk());
  const auto again = ParseKeyRing(FormatKeyRing(*keys).Reveal());
  ASSERT_THAT(again, IsOk());
  ASSERT_EQ(again->size(), 2U);
  EXPECT_EQ((*again)[0].info.version, 2U);
  EXPECT_EQ((*again)[0].info.create_time, (*keys)[0].info.create_time);
  EXPECT_TRUE((*again)[0].key == (*keys)[0].key);
  EXPECT_EQ((*again)[1].info.state, KeyState::kActive);
}

TEST(KeyRingTextTest, ExactlyOnePrimary) {
  EXPECT_THAT(ParseKeyRing(Ring("")), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0 keys are primary")));
  EXPECT_THAT(ParseKeyRing(Ring(Key(1, "active"))), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ParseKeyRing(Ring(Key(1, "primary") + "," + Key(2, "primary"))),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 keys are primary")));
}

TEST(KeyRingTextTest, VersionsAreDistinct) {
  EXPECT_THAT(ParseKeyRing(Ring(Key(1, "primary") + "," + Key(1, "active"))),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("version 1 is there twice")));
}

TEST(KeyRingTextTest, EveryTruncationIsRefused) {
  const std::string text = Ring(Key(1, "primary"));
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_THAT(ParseKeyRing(text.substr(0, size)), StatusIs(absl::StatusCode::kInvalidArgument)) << size;
  }
}

TEST(KeyRingTextTest, AnythingUnexpectedIsRefusedWithoutShowingKeys) {
  const std::string good = Ring(Key(1, "primary"));
  ASSERT_THAT(ParseKeyRing(good), IsOk());
  const auto with = [&good](std::string_view from, std::string_view to) {
    std::string changed = good;
    changed.replace(changed.find(from), from.size(), to);
    return changed;
  };
  const std::vector<std::string> bad = {
      with("keyring-1", "keyring-2"),
      with("\"format\": \"lmbroker-keyring-1\", ", ""),
      with("\"format\"", "\"Format\""),
      with("\"version\": 1", "\"version\": 0"),
      with("\"version\": 1", "\"version\": -1"),
      with("\"version\": 1", "\"version\": 4294967296"),
      with("\"version\": 1", "\"version\": \"1\""),
      with("\"version\": 1, ", ""),
      with("\"version\": 1, ", "\"version\": 1, \"version\": 1, "),
      with("\"version\": 1, ", "\"version\": 1, \"extra\": 1, "),
      with("primary", "Primary"),
      with("primary", ""),
      with("2026-01-31T12:00:00Z", "2026-01-31"),
      with("2026-01-31T12:00:00Z", "2026-02-31T12:00:00Z"),
      with("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z\", \"create_time\": \"2026-01-31T12:00:00Z"),
      with(kBytes, ""),
      with(kBytes, kBytes.substr(0, 40)),
      with(kBytes, "AAECAwQFBgcICQoLDA0ODw=="),
      with(kBytes, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9="),
      with("]}", "]}]"),
      with("]}", "]}{}"),
      with("]}", "],}"),
      with("]}", "], \"keys\": []}"),
      "",
      "null",
      "[]",
      std::string(good) + std::string(1, '\0'),
      "\xEF\xBB\xBF" + good,
  };
  for (const std::string& text : bad) {
    EXPECT_THAT(ParseKeyRing(text), StatusIs(absl::StatusCode::kInvalidArgument,
                                             AllOf(HasSubstr("wrong near byte"), Not(HasSubstr("AAEC")))))
        << text;
  }
}

TEST(KeyRingTextTest, TooManyKeysAreRefused) {
  std::string keys = Key(1, "primary");
  for (int version = 2; version <= 100; ++version) keys += "," + Key(version, "active");
  EXPECT_THAT(ParseKeyRing(Ring(keys)), IsOk());
  EXPECT_THAT(ParseKeyRing(Ring(keys + "," + Key(101, "active"))), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace lmbroker::crypto
