#include "service/crypto/key_ring.h"

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/crypto/encoding.h"
#include "tests/fakes/fake_random.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::crypto {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

// A ring whose key of version V is 32 bytes of the character '0' + V.
std::string RingText(int primary, int active, int retired) {
  std::string keys;
  const auto add = [&](int version, std::string_view state) {
    const std::string bytes(32, static_cast<char>('0' + version));
    keys += fmt::format(R"({}{{"version": {}, "state": "{}", "create_time": "2026-01-31T12:00:00Z", "key": "{}"}})",
                        keys.empty() ? "" : ",", version, state, EncodeBase64(bytes));
  };
  add(primary, "primary");
  add(active, "active");
  add(retired, "retired");
  return fmt::format(R"({{"format": "lmbroker-keyring-1", "keys": [{}]}})", keys);
}

class KeyRingTest : public testing::Test {
 protected:
  absl::StatusOr<KeyRing> LoadText(const std::string& text) {
    WriteFile(path_, text);
    return KeyRing::Load(path_, random_);
  }

  TempDir directory_;
  const std::string path_ = directory_ / "keyring.json";
  FakeRandom random_;
  const Secret data_key_{"a data key of thirty-two bytes.."};
};

TEST_F(KeyRingTest, CreatedFileLoads) {
  ASSERT_THAT(KeyRing::CreateFile(path_, random_, kNow), IsOk());
  const auto ring = KeyRing::Load(path_, random_);
  ASSERT_THAT(ring, IsOk());
  ASSERT_EQ(ring->keys().size(), 1U);
  EXPECT_EQ(ring->keys()[0].version, 1U);
  EXPECT_EQ(ring->keys()[0].state, KeyState::kPrimary);
  EXPECT_EQ(ring->keys()[0].create_time, kNow);
}

TEST_F(KeyRingTest, AuditSeedIsOfTheRing) {
  ASSERT_THAT(KeyRing::CreateFile(path_, random_, kNow), IsOk());
  const auto seed = KeyRing::Load(path_, random_)->audit_seed();
  ASSERT_TRUE(seed.has_value());
  EXPECT_EQ(seed->size(), AuditKey::kSeedBytes);
  EXPECT_TRUE(*seed == *KeyRing::Load(path_, random_)->audit_seed());
  EXPECT_FALSE(LoadText(RingText(2, 1, 3))->audit_seed().has_value());
}

TEST_F(KeyRingTest, CreatedFileIsPrivateAndNeverOverwritten) {
  ASSERT_THAT(KeyRing::CreateFile(path_, random_, kNow), IsOk());
  struct stat facts{};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0600U);
  const std::string before = ReadFile(path_);
  EXPECT_THAT(KeyRing::CreateFile(path_, random_, kNow), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(ReadFile(path_), before);
}

TEST_F(KeyRingTest, TwoCreatedRingsHaveDifferentKeys) {
  ASSERT_THAT(KeyRing::CreateFile(path_, random_, kNow), IsOk());
  ASSERT_THAT(KeyRing::CreateFile(directory_ / "other.json", random_, kNow), IsOk());
  const auto ring = KeyRing::Load(path_, random_);
  const auto other = KeyRing::Load(directory_ / "other.json", random_);
  const auto wrapped = ring->Wrap(data_key_, "");
  ASSERT_THAT(wrapped, IsOk());
  EXPECT_THAT(other->Unwrap(*wrapped, ""), RefusedWith(Reason::kInternal));
}

TEST_F(KeyRingTest, WrapsWithThePrimaryAndUnwraps) {
  const auto ring = LoadText(RingText(2, 1, 3));
  ASSERT_THAT(ring, IsOk());
  const auto wrapped = ring->Wrap(data_key_, "associated");
  ASSERT_THAT(wrapped, IsOk());
  EXPECT_EQ(wrapped->key_version, 2U);
  EXPECT_EQ(ring->PrimaryVersion(), 2U);
  const auto data_key = ring->Unwrap(*wrapped, "associated");
  ASSERT_THAT(data_key, IsOk());
  EXPECT_TRUE(*data_key == data_key_);
}

TEST_F(KeyRingTest, FormerPrimaryStillUnwraps) {
  const auto before = LoadText(RingText(1, 2, 3));
  const auto wrapped = before->Wrap(data_key_, "associated");
  const auto after = LoadText(RingText(2, 1, 3));
  ASSERT_THAT(after->Unwrap(*wrapped, "associated"), IsOk());
}

TEST_F(KeyRingTest, RetiredAndMissingVersionsAreSealed) {
  const auto ring = LoadText(RingText(2, 1, 3));
  auto wrapped = *ring->Wrap(data_key_, "associated");
  for (const std::uint32_t version : {0U, 3U, 4U, 4294967295U}) {
    wrapped.key_version = version;
    EXPECT_THAT(ring->Unwrap(wrapped, "associated"), RefusedWith(Reason::kSealed)) << version;
  }
}

TEST_F(KeyRingTest, OtherVersionOrAssociatedDataDoesNotUnwrap) {
  const auto ring = LoadText(RingText(2, 1, 3));
  auto wrapped = *ring->Wrap(data_key_, "associated");
  EXPECT_THAT(ring->Unwrap(wrapped, "other"), RefusedWith(Reason::kInternal));
  wrapped.key_version = 1;
  EXPECT_THAT(ring->Unwrap(wrapped, "associated"), RefusedWith(Reason::kInternal));
}

TEST_F(KeyRingTest, FileThatOthersCanReadIsRefused) {
  WriteFile(path_, RingText(2, 1, 3));
  ASSERT_EQ(chmod(path_.c_str(), 0640), 0);
  EXPECT_THAT(KeyRing::Load(path_, random_), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("0640")));
}

TEST_F(KeyRingTest, BadFileIsRefusedByPathWithoutItsContent) {
  EXPECT_THAT(LoadText("{\"secret\": 1}"), StatusIs(absl::StatusCode::kFailedPrecondition,
                                                    AllOf(HasSubstr(path_), testing::Not(HasSubstr("secret")))));
  EXPECT_THAT(KeyRing::Load(directory_ / "none", random_), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(LoadText(std::string(100'000, ' ')), StatusIs(absl::StatusCode::kFailedPrecondition));
}

// How Kubernetes publishes a new version of a mounted secret: the file is a link through a link that is swapped.
TEST_F(KeyRingTest, SwappedLinkIsFollowed) {
  namespace fs = std::filesystem;
  for (const int version : {1, 2}) {
    const fs::path folder = directory_ / fmt::format("data{}", version);
    fs::create_directory(folder);
    WriteFile((folder / "keyring.json").string(), RingText(version, 3 - version, 3));
  }
  fs::create_directory_symlink("data1", directory_ / "..data");
  fs::create_symlink("..data/keyring.json", path_);
  EXPECT_EQ(KeyRing::Load(path_, random_)->Wrap(data_key_, "")->key_version, 1U);
  fs::create_directory_symlink("data2", directory_ / "..data_new");
  fs::rename(directory_ / "..data_new", directory_ / "..data");
  EXPECT_EQ(KeyRing::Load(path_, random_)->Wrap(data_key_, "")->key_version, 2U);
}

}  // namespace
}  // namespace lmbroker::crypto
