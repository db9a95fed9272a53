#include "service/app/file_watch.h"

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace lmbroker::app {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public ::testing::Test {
 protected:
  const TempDir directory_;
  const std::string file_ = directory_ / "file";
};

TEST_F(FileWatchTest, TheFirstLookIsAlwaysAChange) {
  WriteFile(file_, "a");
  EXPECT_TRUE(FileWatch({file_}).Changed());
  EXPECT_TRUE(FileWatch({directory_ / "none"}).Changed());
}

TEST_F(FileWatchTest, WhatIsMarkedHasNotChanged) {
  WriteFile(file_, "a");
  FileWatch watch({file_});
  watch.Mark();
  EXPECT_FALSE(watch.Changed());
  EXPECT_FALSE(watch.Changed());
}

TEST_F(FileWatchTest, AFileThatComesOrGoesHasChanged) {
  FileWatch watch({file_});
  watch.Mark();
  EXPECT_FALSE(watch.Changed());
  WriteFile(file_, "a");
  EXPECT_TRUE(watch.Changed());
  watch.Mark();
  fs::remove(file_);
  EXPECT_TRUE(watch.Changed());
  EXPECT_TRUE(watch.Changed());  // until it is marked
}

TEST_F(FileWatchTest, AnotherFileOfTheSameSizeAndDateHasChanged) {
  WriteFile(file_, "a");
  FileWatch watch({file_});
  watch.Mark();
  WriteFile(directory_ / "new", "b");
  fs::last_write_time(directory_ / "new", fs::last_write_time(file_));
  fs::rename(directory_ / "new", file_);
  EXPECT_TRUE(watch.Changed());
}

TEST_F(FileWatchTest, AnyOfSeveralIsEnough) {
  WriteFile(file_, "a");
  WriteFile(directory_ / "key", "a");
  FileWatch watch({file_, directory_ / "key"});
  watch.Mark();
  WriteFile(directory_ / "key", "longer");
  EXPECT_TRUE(watch.Changed());
}

// A mounted ConfigMap: file → ..data/file, ..data → a directory with a date; a change renames a new link over ..data.
TEST_F(FileWatchTest, EverySwapOfALinkAboveTheFileIsSeen) {
  const auto write_version = [&](int version) {
    const std::string name = fmt::format("..{}", version);
    fs::create_directory(directory_ / name);
    WriteFile(directory_ / (name + "/file"), "same size");
    fs::create_directory_symlink(name, directory_ / "..next");
    fs::rename(directory_ / "..next", directory_ / "..data");
    if (version > 0) fs::remove_all(directory_ / fmt::format("..{}", version - 1));
  };
  write_version(0);
  fs::create_symlink("..data/file", file_);
  FileWatch watch({file_});
  watch.Mark();
  for (int version = 1; version <= 1000; ++version) {
    write_version(version);
    ASSERT_TRUE(watch.Changed()) << version;
    watch.Mark();
    ASSERT_FALSE(watch.Changed()) << version;
  }
}

}  // namespace
}  // namespace lmbroker::app
