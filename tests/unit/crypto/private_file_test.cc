#include "service/crypto/private_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::crypto {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class PrivateFileTest : public testing::Test {
 protected:
  TempDir directory_;
  const std::string path_ = directory_ / "key";
};

TEST_F(PrivateFileTest, CreatedFileIsPrivate) {
  ASSERT_THAT(CreatePrivateFile(path_, "content"), IsOk());
  struct stat facts{};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0600U);
  EXPECT_EQ(ReadFile(path_), "content");
}

TEST_F(PrivateFileTest, CreateNeverOverwrites) {
  WriteFile(path_, "old");
  EXPECT_THAT(CreatePrivateFile(path_, "new"), StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(path_)));
  EXPECT_EQ(ReadFile(path_), "old");
}

TEST_F(PrivateFileTest, CreateDoesNotFollowADanglingLink) {
  std::filesystem::create_symlink(directory_ / "elsewhere", path_);
  EXPECT_THAT(CreatePrivateFile(path_, "new"), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "elsewhere"));
}

TEST_F(PrivateFileTest, CreateLeavesNoDraftBehind) {
  ASSERT_THAT(CreatePrivateFile(path_, "content"), IsOk());
  EXPECT_THAT(CreatePrivateFile(path_, "again"), testing::Not(IsOk()));
  const auto entries = std::filesystem::directory_iterator(directory_.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST_F(PrivateFileTest, CreateInAMissingFolderSaysSo) {
  EXPECT_THAT(CreatePrivateFile(directory_ / "none/key", "content"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("No such file")));
}

TEST_F(PrivateFileTest, EveryPermissionForOthersIsRefused) {
  WriteFile(path_, "content");
  for (const mode_t mode : {0640U, 0620U, 0610U, 0604U, 0602U, 0601U, 0644U, 0666U, 0777U}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    EXPECT_THAT(CheckPrivateFile(path_),
                StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr(path_), HasSubstr("chmod it to 0600"))))
        << mode;
  }
  for (const mode_t mode : {0600U, 0400U, 0700U}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    EXPECT_THAT(CheckPrivateFile(path_), IsOk()) << mode;
  }
}

TEST_F(PrivateFileTest, AnotherUsersFileIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  WriteFile(path_, "content");
  ASSERT_EQ(chown(path_.c_str(), 12345, static_cast<gid_t>(-1)), 0);
  EXPECT_THAT(CheckPrivateFile(path_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("belongs to user 12345")));
}

TEST_F(PrivateFileTest, ModeOfTheTargetCountsNotOfTheLink) {
  WriteFile(directory_ / "target", "content");
  std::filesystem::create_symlink(directory_ / "target", path_);
  EXPECT_THAT(CheckPrivateFile(path_), IsOk());
  ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  EXPECT_THAT(CheckPrivateFile(path_), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(PrivateFileTest, WhatIsNoFileIsRefusedAtOnce) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(CheckPrivateFile(path_), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not a regular")));
  EXPECT_THAT(CheckPrivateFile(directory_.path().string()), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(CheckPrivateFile(directory_ / "none"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("No such file")));
}

}  // namespace
}  // namespace lmbroker::crypto
