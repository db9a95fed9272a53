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

// Every field that a ring may have.
constexpr std::string_view kWhole = R"({
  "format": "lmbroker-keyring-1",
  "highest_version": 9,
  "keys": [
    {"version": 1, "state": "retired", "create_time": "2026-01-31T12:00:00Z", "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
    {"version": 7, "state": "primary", "create_time": "2026-01-31T12:00:00Z", "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
    {"version": 3, "state": "active", "create_time": "2026-01-31T12:00:00Z", "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}
  ],
  "audit_key": {"create_time": "2026-01-31T12:00:01Z", "seed": "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="}
})";

TEST(KeyRingTextTest, ReadsEveryField) {
  const auto ring = ParseKeyRing(kWhole);
  ASSERT_THAT(ring, IsOk());
  ASSERT_EQ(ring->keys.size(), 3U);
  EXPECT_EQ(ring->keys[0].info.state, KeyState::kRetired);
  EXPECT_EQ(ring->keys[1].info.version, 7U);
  EXPECT_EQ(ring->keys[1].info.state, KeyState::kPrimary);
  EXPECT_EQ(ring->keys[1].info.create_time, absl::FromUnixSeconds(1769860800));
  EXPECT_EQ(ring->keys[1].key.size(), 32U);
  EXPECT_EQ(ring->keys[1].key.Reveal().substr(1, 3), "\x01\x02\x03");
  EXPECT_EQ(ring->keys[2].info.state, KeyState::kActive);
  EXPECT_EQ(ring->highest_version, 9U);
  ASSERT_TRUE(ring->audit_key.has_value());
  EXPECT_EQ(ring->audit_key->create_time, absl::FromUnixSeconds(1769860801));
  EXPECT_EQ(ring->audit_key->seed.Reveal(), std::string(32, 'a'));
}

TEST(KeyRingTextTest, RingOfAnEarlyVersionReads) {
  const auto ring = ParseKeyRing(Ring(Key(1, "retired") + "," + Key(7, "primary") + "," + Key(3, "active")));
  ASSERT_THAT(ring, IsOk());
  EXPECT_EQ(ring->highest_version, 7U);
  EXPECT_FALSE(ring->audit_key.has_value());
}

TEST(KeyRingTextTest, WhatIsWrittenReadsBack) {
  for (const std::string& text : {std::string(kWhole), Ring(Key(2, "primary") + "," + Key(1, "active"))}) {
    const auto ring = ParseKeyRing(text);
    ASSERT_THAT(ring, IsOk());
    const Secret written = FormatKeyRing(*ring);
    const auto again = ParseKeyRing(written.Reveal());
    ASSERT_THAT(again, IsOk());
    ASSERT_EQ(again->keys.size(), ring->keys.size());
    EXPECT_EQ(again->keys[0].info.version, ring->keys[0].info.version);
    EXPECT_EQ(again->keys[0].info.create_time, ring->keys[0].info.create_time);
    EXPECT_TRUE(again->keys[0].key == ring->keys[0].key);
    EXPECT_EQ(again->keys[1].info.state, ring->keys[1].info.state);
    EXPECT_EQ(again->highest_version, ring->highest_version);
    EXPECT_EQ(again->audit_key.has_value(), ring->audit_key.has_value());
    EXPECT_TRUE(FormatKeyRing(*again) == written);
  }
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

TEST(KeyRingTextTest, HighestVersionIsNotBelowOneThatIsThere) {
  std::string text(kWhole);
  text.replace(text.find(": 9"), 3, ": 6");
  EXPECT_THAT(ParseKeyRing(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("version 7 is above")));
}

TEST(KeyRingTextTest, EveryTruncationIsRefused) {
  const std::string_view text = kWhole;
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_THAT(ParseKeyRing(text.substr(0, size)), StatusIs(absl::StatusCode::kInvalidArgument)) << size;
  }
}

TEST(KeyRingTextTest, AnythingUnexpectedIsRefusedWithoutShowingKeys) {
  std::string good = Ring(Key(1, "primary"));
  good.insert(
      good.size() - 1,
      R"(, "audit_key": {"create_time": "2026-01-31T12:00:00Z", "seed": "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="})");
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
      with("]", "]]"),
      with("],", "],,"),
      with("}}", "}}{}"),
      with("}}", "},}"),
      with("}}", "}, \"keys\": []}"),
      with("}}", "}, \"highest_version\": 0}"),
      with("}}", "}, \"highest_version\": -1}"),
      with("YWFh", ""),
      with("\"seed\"", "\"key\""),
      with("\"seed\": ", "\"extra\": 1, \"seed\": "),
      with("\"audit_key\": {\"create_time\": \"2026-01-31T12:00:00Z\", ", "\"audit_key\": {"),
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
