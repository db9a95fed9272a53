#include "service/base/memory_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker {
namespace {

time_t DateOf(const std::string& path) {
  struct stat status{};
  EXPECT_EQ(stat(path.c_str(), &status), 0);
  return status.st_mtim.tv_sec;
}

TEST(MemoryFileTest, HoldsWhatWasPutThere) {
  auto file = MemoryFile::Create();
  ASSERT_THAT(file, IsOk());
  const std::string path = file->path();
  EXPECT_EQ(ReadFile(path), "");
  ASSERT_THAT(file->Replace("one"), IsOk());
  EXPECT_EQ(ReadFile(path), "one");
  ASSERT_THAT(file->Replace("the second"), IsOk());
  EXPECT_EQ(ReadFile(path), "the second");
  EXPECT_EQ(file->path(), path);
}

TEST(MemoryFileTest, EachVersionHasADateOfItsOwnInSeconds) {
  auto file = MemoryFile::Create();
  ASSERT_THAT(file, IsOk());
  ASSERT_THAT(file->Replace("one"), IsOk());
  const time_t first = DateOf(file->path());
  ASSERT_THAT(file->Replace("one"), IsOk());
  EXPECT_GT(DateOf(file->path()), first);
}

TEST(MemoryFileTest, WhoHasItOpenKeepsTheOldVersion) {
  auto file = MemoryFile::Create();
  ASSERT_THAT(file, IsOk());
  ASSERT_THAT(file->Replace("one"), IsOk());
  std::ifstream open(file->path());
  ASSERT_THAT(file->Replace("two"), IsOk());
  std::string text;
  open >> text;
  EXPECT_EQ(text, "one");
}

TEST(MemoryFileTest, NobodySeesPartsOfTwoVersions) {
  auto file = MemoryFile::Create();
  ASSERT_THAT(file, IsOk());
  ASSERT_THAT(file->Replace(std::string(100'000, 'a')), IsOk());
  std::atomic<bool> over = false;
  int mixed = 0;
  std::thread reader([&, path = file->path()] {
    while (!over) {
      const std::string text = ReadFile(path);
      if (text.size() != 100'000 || text.find_first_not_of(text.front()) != std::string::npos) ++mixed;
    }
  });
  for (int i = 0; i < 500; ++i) {
    ASSERT_THAT(file->Replace(std::string(100'000, static_cast<char>('a' + i % 26))), IsOk());
  }
  over = true;
  reader.join();
  EXPECT_EQ(mixed, 0);
}

}  // namespace
}  // namespace lmbroker
