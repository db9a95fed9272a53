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

class KeyRingFileTest : public testing::Test {
 protected:
  KeyRingFileTest() { EXPECT_THAT(CreateKeyRingFile(path_, NewRing(random_, kNow)), IsOk()); }

  absl::Status Add(const std::string& path) {
    return ChangeKeyRingFile(path, [this](RingContent& ring) { return AddKey(ring, random_, kNow).status(); });
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
  EXPECT_EQ(ReadKeyRingFile(path_)->keys.size(), 2U);
  struct stat facts{};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0600U);
  EXPECT_EQ(FilesIn(directory_.path()), 1);
}

TEST_F(KeyRingFileTest, RefusedChangeWritesNothing) {
  const std::string before = ReadFile(path_);
  EXPECT_THAT(ChangeKeyRingFile(path_,
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
  EXPECT_EQ(ReadKeyRingFile(path_)->keys.size(), 2U);
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

TEST_F(KeyRingFileTest, MissingFileIsNotMade) {
  const std::string none = directory_ / "none.json";
  EXPECT_THAT(Add(none), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(none)));
  EXPECT_FALSE(fs::exists(none));
}

}  // namespace
}  // namespace lmbroker::crypto
