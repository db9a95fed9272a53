#include "service/crypto/ring_changes.h"

#include <limits>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/crypto/key_ring_text.h"
#include "tests/fakes/fake_random.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::crypto {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
const absl::Time kLater = kNow + absl::Hours(1);

class RingChangesTest : public testing::Test {
 protected:
  std::uint32_t Add() { return *AddKey(ring_, random_, kLater); }

  // "1 primary", "2 active", …
  std::vector<std::string> States() const {
    std::vector<std::string> states;
    for (const RingKey& key : ring_.keys) {
      states.push_back(fmt::format("{} {}", key.info.version, KeyStateName(key.info.state)));
    }
    return states;
  }

  void ExpectRefused(const absl::Status& status, std::string_view why) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(std::string(why))));
  }

  FakeRandom random_;
  RingContent ring_ = NewRing(random_, kNow);
};

TEST_F(RingChangesTest, NewRingHasOnePrimaryAndAnAuditKey) {
  EXPECT_THAT(States(), ElementsAre("1 primary"));
  EXPECT_EQ(ring_.highest_version, 1U);
  ASSERT_TRUE(ring_.audit_key.has_value());
  EXPECT_EQ(ring_.audit_key->create_time, kNow);
  EXPECT_EQ(ring_.audit_key->seed.size(), AuditKey::kSeedBytes);
  EXPECT_FALSE(ring_.audit_key->seed == ring_.keys[0].key);
}

TEST_F(RingChangesTest, AddedKeyIsActiveUntilItIsPromoted) {
  EXPECT_EQ(Add(), 2U);
  EXPECT_THAT(States(), ElementsAre("1 primary", "2 active"));
  EXPECT_FALSE(ring_.keys[0].key == ring_.keys[1].key);
  EXPECT_EQ(ring_.keys[1].info.create_time, kLater);
  EXPECT_THAT(PromoteKey(ring_, std::nullopt), IsOkAndHolds(2U));
  EXPECT_THAT(States(), ElementsAre("1 active", "2 primary"));
}

TEST_F(RingChangesTest, AddGivesAnAuditKeyToARingWithoutOneAndKeepsTheOneThatIsThere) {
  const Secret before = ring_.audit_key->seed.Duplicate();
  Add();
  EXPECT_TRUE(ring_.audit_key->seed == before);
  ring_.audit_key.reset();
  Add();
  ASSERT_TRUE(ring_.audit_key.has_value());
  EXPECT_EQ(ring_.audit_key->create_time, kLater);
}

TEST_F(RingChangesTest, NewestActiveIsPromotedUnlessAnotherIsNamed) {
  Add();
  Add();
  EXPECT_THAT(PromoteKey(ring_, 2), IsOkAndHolds(2U));
  EXPECT_THAT(PromoteKey(ring_, std::nullopt), IsOkAndHolds(3U));
  EXPECT_THAT(PromoteKey(ring_, std::nullopt), IsOkAndHolds(2U));
}

TEST_F(RingChangesTest, NothingToPromoteIsSaid) {
  ExpectRefused(PromoteKey(ring_, std::nullopt).status(), "keyring add");
  ExpectRefused(PromoteKey(ring_, 1).status(), "primary already");
  EXPECT_THAT(PromoteKey(ring_, 2), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(RingChangesTest, PrimaryIsNotRetired) {
  ExpectRefused(RetireKey(ring_, 1), "promote another one first");
  EXPECT_THAT(States(), ElementsAre("1 primary"));
}

TEST_F(RingChangesTest, OnlyARetiredKeyIsPurged) {
  Add();
  ExpectRefused(PurgeKey(ring_, 1), "is primary");
  ExpectRefused(PurgeKey(ring_, 2), "is active");
  ASSERT_THAT(RetireKey(ring_, 2), IsOk());
  ExpectRefused(RetireKey(ring_, 2), "retired already");
  ASSERT_THAT(PurgeKey(ring_, 2), IsOk());
  EXPECT_THAT(States(), ElementsAre("1 primary"));
  EXPECT_THAT(PurgeKey(ring_, 2), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(RetireKey(ring_, 2), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(RingChangesTest, RetiredKeyIsTakenBackByPromotion) {
  Add();
  ASSERT_THAT(RetireKey(ring_, 2), IsOk());
  ExpectRefused(PromoteKey(ring_, std::nullopt).status(), "keyring add");
  EXPECT_THAT(PromoteKey(ring_, 2), IsOkAndHolds(2U));
  EXPECT_THAT(States(), ElementsAre("1 active", "2 primary"));
}

TEST_F(RingChangesTest, VersionOfAPurgedKeyIsNeverGivenAgain) {
  std::set<std::uint32_t> given = {1};
  for (int i = 0; i < 50; ++i) {
    const std::uint32_t version = Add();
    EXPECT_TRUE(given.insert(version).second) << version;
    ASSERT_THAT(RetireKey(ring_, version), IsOk());
    ASSERT_THAT(PurgeKey(ring_, version), IsOk());
    ring_ = *ParseKeyRing(FormatKeyRing(ring_).Reveal());  // and the file remembers it
  }
}

TEST_F(RingChangesTest, FullRingSaysWhatToDo) {
  while (ring_.keys.size() < kMostRingKeys) Add();
  ExpectRefused(AddKey(ring_, random_, kNow).status(), "purge old ones");
  EXPECT_EQ(ring_.highest_version, kMostRingKeys);
}

TEST_F(RingChangesTest, LastVersionNumberIsTheLast) {
  ring_.highest_version = std::numeric_limits<std::uint32_t>::max();
  ExpectRefused(AddKey(ring_, random_, kNow).status(), "make a new ring");
}

}  // namespace
}  // namespace lmbroker::crypto
