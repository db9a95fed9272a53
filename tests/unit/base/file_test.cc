#include "service/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class FileTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return dir_ / name; }

  std::string Write(const std::string& name, std::string_view content, mode_t mode = 0600) const {
    EXPECT_THAT(WriteFileAtomically(Path(name), content, mode), IsOk());
    return Path(name);
  }

  TempDir dir_;
};

TEST_F(FileTest, ReadsAWholeFileUpToTheBound) {
  const std::string content("all\0of it\n", 10);
  const std::string path = Write("file", content);
  EXPECT_THAT(ReadFile(path, 10), IsOkAndHolds(content));
  EXPECT_THAT(ReadFile(path, 9), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("at most 9")));
}

TEST_F(FileTest, EmptyFileIsAFile) { EXPECT_THAT(ReadFile(Write("file", ""), 10), IsOkAndHolds(std::string())); }

TEST_F(FileTest, MissingFileIsNotFound) {
  EXPECT_THAT(ReadFile(Path("none"), 10), StatusIs(StatusCode::kNotFound, HasSubstr(Path("none"))));
  EXPECT_THAT(ReadSecretFile(Path("none"), 10), StatusIs(StatusCode::kNotFound));
}

TEST_F(FileTest, WhatIsNoFileIsRefusedAndNotWaitedFor) {
  EXPECT_THAT(ReadFile(Path(""), 10), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("no regular file")));
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_THAT(ReadFile(Path("pipe"), 10), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(ReadFile("/dev/zero", 10), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(FileTest, SecretIsReadWhole) {
  auto secret = ReadSecretFile(Write("key", "0123456789"), 10);
  ASSERT_THAT(secret, IsOk());
  EXPECT_EQ(secret->Reveal(), "0123456789");
}

TEST_F(FileTest, KeyThatOthersMayUseIsRefused) {
  for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0610U, 0601U, 0644U, 0666U, 0777U}) {
    const std::string path = Write("key", "secret content", mode);
    const auto secret = ReadSecretFile(path, 100);
    EXPECT_THAT(secret, StatusIs(StatusCode::kFailedPrecondition, HasSubstr("chmod 0600"))) << std::oct << mode;
    EXPECT_THAT(secret.status().ToString(), testing::Not(HasSubstr("secret content")));
    EXPECT_EQ(CheckSecretFile(path), secret.status());
  }
  for (const mode_t mode : {0600U, 0400U, 0700U}) {
    EXPECT_THAT(ReadSecretFile(Write("key", "x", mode), 100), IsOk()) << std::oct << mode;
    EXPECT_THAT(CheckSecretFile(Path("key")), IsOk());
  }
}

TEST_F(FileTest, ModeOfTheFileCountsNotThatOfTheLink) {
  Write("key", "x", 0644);
  std::filesystem::create_symlink(Path("key"), Path("link"));
  EXPECT_THAT(ReadSecretFile(Path("link"), 100), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(ReadFile(Path("link"), 100), IsOk());
}

TEST_F(FileTest, AtomicWriteReplacesAndLeavesNothingBeside) {
  Write("file", "old", 0644);
  Write("file", "new", 0600);
  EXPECT_THAT(ReadFile(Path("file"), 10), IsOkAndHolds(std::string("new")));
  struct stat facts{};
  ASSERT_EQ(stat(Path("file").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(Path("")), {}), 1);
}

TEST_F(FileTest, FailedAtomicWriteLeavesTheOldContentAndNothingBeside) {
  std::filesystem::create_directory(Path("taken"));
  EXPECT_THAT(WriteFileAtomically(Path("taken"), "x", 0600), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(Path("")), {}), 1);
  EXPECT_THAT(WriteFileAtomically(Path("none/file"), "x", 0600), StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace lmbroker
