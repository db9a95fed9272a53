#include "service/crypto/key_ring_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/descriptor.h"
#include "service/crypto/ring_changes.h"
#include "tests/fakes/fake_random.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::crypto {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

absl::StatusOr<Secret> NoPassphrase() { return absl::InvalidArgumentError("none was given"); }

class KeyRingFileTest : public testing::Test {
 protected:
  KeyRingFileTest() { EXPECT_THAT(CreateKeyRingFile(path_, NewRing(random_, kNow), nullptr, random_), IsOk()); }

  absl::Status Add(const std::string& path) {
    return ChangeKeyRingFile(path, NoPassphrase, random_,
                             [this](RingContent& ring) { return AddKey(ring, random_, kNow).status(); });
  }
  std::ptrdiff_t FilesIn(const fs::path& directory) const {
    return std::distance(fs::directory_iterator(directory), fs::directory_iterator());
  }

  TempDir directory_;
  const std::string path_ = directory_ / "keyring.json";
  FakeRandom random_;
};

TEST_F(KeyRingFileTest, ChangeIsSeenAndPrivateAndLeavesNothingElse) {
  ASSERT_THAT(Add(path_), IsOk());
  EXPECT_EQ(OpenKeyRingFile(path_, NoPassphrase)->content.keys.size(), 2U);
  struct stat facts{};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0600U);
  EXPECT_EQ(FilesIn(directory_.path()), 1);
}

TEST_F(KeyRingFileTest, RefusedChangeWritesNothing) {
  const std::string before = ReadFile(path_);
  EXPECT_THAT(ChangeKeyRingFile(path_, NoPassphrase, random_,
                                [](RingContent& ring) {
                                  ring.keys[0].info.state = KeyState::kRetired;
                                  return absl::FailedPreconditionError("no");
                                }),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no")));
  EXPECT_EQ(ReadFile(path_), before);
  EXPECT_EQ(FilesIn(directory_.path()), 1);
}

TEST_F(KeyRingFileTest, LinkStaysAndItsFileChanges) {
  const std::string link = directory_ / "link.json";
  fs::create_symlink("keyring.json", link);
  ASSERT_THAT(Add(link), IsOk());
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(OpenKeyRingFile(path_, NoPassphrase)->content.keys.size(), 2U);
}

// The disk is full from the first byte, and in the middle of the new file.
TEST_F(KeyRingFileTest, FullDiskLosesNothing) {
  const std::string before = ReadFile(path_);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  for (const rlim_t room : {0, 1, 100, 300}) {
    const rlimit full{.rlim_cur = room, .rlim_max = old.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
    const absl::Status changed = Add(path_);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
    EXPECT_THAT(changed, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("cannot write"))) << room;
    EXPECT_EQ(ReadFile(path_), before);
    EXPECT_EQ(FilesIn(directory_.path()), 1);
  }
}

TEST_F(KeyRingFileTest, TwoWhoChangeItDoNotUndoEachOther) {
  const Descriptor other(open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(flock(other.get(), LOCK_EX), 0);
  EXPECT_THAT(Add(path_), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another change")));
  ASSERT_EQ(flock(other.get(), LOCK_UN), 0);
  EXPECT_THAT(Add(path_), IsOk());
}

class ProtectedRingFileTest : public KeyRingFileTest {
 protected:
  ProtectedRingFileTest() {
    std::filesystem::remove(path_);
    EXPECT_THAT(CreateKeyRingFile(path_, NewRing(random_, kNow), &lock_, random_), IsOk());
  }
  static absl::StatusOr<Secret> Ask() { return Secret("a passphrase of the test"); }

  // As cheap as is allowed.
  const RingLock lock_ =
      RingLock::Derive(*Ask(), {.n = 16384, .r = 1, .p = 1, .salt = std::string(ScryptParameters::kSaltBytes, 's')});
};

TEST_F(ProtectedRingFileTest, OpensWithItsPassphraseAlone) {
  const auto ring = OpenKeyRingFile(path_, Ask);
  ASSERT_THAT(ring, IsOk());
  EXPECT_EQ(ring->content.keys.size(), 1U);
  EXPECT_TRUE(ring->lock.has_value());
  EXPECT_THAT(OpenKeyRingFile(path_, NoPassphrase),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("none was given")));
  EXPECT_THAT(OpenKeyRingFile(path_, [] { return Secret("a passphrase of no test"); }),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the passphrase is wrong")));
  EXPECT_THAT(OpenKeyRingFile(path_, [] { return Secret(); }), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckKeyRingFile(path_), IsOk());
}

TEST_F(ProtectedRingFileTest, NothingOfTheRingIsInTheFile) {
  const std::string text = ReadFile(path_);
  for (const std::string_view word : {"primary", "audit", "version", "create_time"}) {
    EXPECT_EQ(text.find(word), std::string::npos) << word;
  }
}

TEST_F(ProtectedRingFileTest, ChangeKeepsTheProtectionAndTheKnownLockOpensIt) {
  ASSERT_THAT(ChangeKeyRingFile(path_, Ask, random_,
                                [this](RingContent& ring) { return AddKey(ring, random_, kNow).status(); }),
              IsOk());
  const auto ring = OpenKeyRingFile(path_, NoPassphrase, &lock_);
  ASSERT_THAT(ring, IsOk());
  EXPECT_EQ(ring->content.keys.size(), 2U);
}

// The header says how the key is made; whoever changes it, or anything else, is found out.
TEST_F(ProtectedRingFileTest, EveryChangedByteIsRefused) {
  const std::string text = ReadFile(path_);
  for (std::size_t at = 0; at < text.size(); at += 3) {
    std::string changed = text;
    changed[at] = changed[at] == 'x' ? 'y' : 'x';
    if (changed.find("\"n\": 16384, \"r\": 1, \"p\": 1") == std::string::npos) continue;  // refused, or slow to refuse
    WriteFile(path_, changed);
    EXPECT_FALSE(OpenKeyRingFile(path_, NoPassphrase, &lock_).ok()) << at;
  }
}

TEST_F(KeyRingFileTest, MissingFileIsNotMade) {
  const std::string none = directory_ / "none.json";
  EXPECT_THAT(Add(none), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(none)));
  EXPECT_FALSE(fs::exists(none));
}

}  // namespace
}  // namespace lmbroker::crypto
