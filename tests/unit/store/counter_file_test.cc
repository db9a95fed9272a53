#include "service/store/counter_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/store/store_id.h"
#include "tests/fakes/fake_random.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::store {
namespace {

using State = CounterFile::State;

class CounterFileTest : public testing::Test {
 protected:
  CounterFile::Reading Read() const { return *file_.Read(key_); }

  FakeRandom random_;
  TempDir directory_;
  const StoreKey key_{StoreKey::NewKey(random_)};
  const std::string id_ = std::string(kStoreIdBytes, 'i');
  const std::string path_ = directory_ / "counter";
  const CounterFile file_{path_};
};

TEST_F(CounterFileTest, IsMissingThenBlankThenKnown) {
  EXPECT_EQ(Read().state, State::kMissing);
  ASSERT_THAT(file_.MakeIfMissing(), IsOk());
  EXPECT_EQ(Read().state, State::kBlank);
  EXPECT_EQ(Read().counter, 0);
  ASSERT_THAT(file_.Write(key_, id_, 1), IsOk());
  EXPECT_EQ(Read().state, State::kKnown);
  EXPECT_EQ(Read().store_id, id_);
  EXPECT_EQ(Read().counter, 1);
  ASSERT_THAT(file_.MakeIfMissing(), IsOk());
  EXPECT_EQ(Read().counter, 1);
  struct stat facts{};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0600U);
}

TEST_F(CounterFileTest, EveryWriteCountsAndNoneGrowsTheFile) {
  ASSERT_THAT(file_.MakeIfMissing(), IsOk());
  const auto size = std::filesystem::file_size(path_);
  for (std::int64_t counter = 1; counter < 100; ++counter) {
    ASSERT_THAT(file_.Write(key_, id_, counter), IsOk());
    EXPECT_EQ(Read().counter, counter);
  }
  EXPECT_EQ(std::filesystem::file_size(path_), size);
}

// However much of the newest write reached the disk, the file counts it or the one before.
TEST_F(CounterFileTest, WriteThatIsCutOffLeavesTheOneBefore) {
  for (std::int64_t counter = 1; counter <= 4; ++counter) ASSERT_THAT(file_.Write(key_, id_, counter), IsOk());
  const std::string before = ReadFile(path_);
  ASSERT_THAT(file_.Write(key_, id_, 5), IsOk());
  const std::string after = ReadFile(path_);
  int torn = 0;
  for (std::size_t cut = 0; cut < after.size(); ++cut) {
    if (cut > 0 && before[cut - 1] == after[cut - 1]) continue;
    const std::string mixed = after.substr(0, cut) + before.substr(cut);
    WriteFile(path_, mixed);
    ASSERT_EQ(Read().state, State::kKnown) << cut;
    EXPECT_EQ(Read().counter, mixed == after ? 5 : 4) << cut;
    ++torn;
  }
  EXPECT_GT(torn, 20);
}

TEST_F(CounterFileTest, FlippedBitNeverRaisesOrForgesACount) {
  ASSERT_THAT(file_.Write(key_, id_, 4), IsOk());
  ASSERT_THAT(file_.Write(key_, id_, 5), IsOk());
  const std::string good = ReadFile(path_);
  for (std::size_t at = 0; at < good.size(); at += good[at] == '\0' ? 97 : 1) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    WriteFile(path_, bad);
    ASSERT_EQ(Read().state, State::kKnown) << at;
    EXPECT_EQ(Read().store_id, id_);
    EXPECT_TRUE(Read().counter == 5 || Read().counter == 4) << at;
  }
}

TEST_F(CounterFileTest, FileOfAnotherKeyOrSizeIsForeign) {
  ASSERT_THAT(file_.Write(key_, id_, 5), IsOk());
  EXPECT_EQ(file_.Read(StoreKey(StoreKey::NewKey(random_)))->state, State::kForeign);
  const std::string good = ReadFile(path_);
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, good.size() - 1}) {
    WriteFile(path_, good.substr(0, size));
    EXPECT_EQ(Read().state, State::kForeign) << size;
  }
  WriteFile(path_, std::string(good.size(), '\xff'));
  EXPECT_EQ(Read().state, State::kForeign);
  WriteFile(path_, good + "x");
  EXPECT_THAT(file_.Read(key_), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(CounterFileTest, FileThatOthersMayWriteIsRefused) {
  ASSERT_THAT(file_.Write(key_, id_, 5), IsOk());
  ASSERT_EQ(chmod(path_.c_str(), 0660), 0);
  EXPECT_THAT(file_.Read(key_), StatusIs(absl::StatusCode::kFailedPrecondition, testing::HasSubstr(path_)));
}

TEST_F(CounterFileTest, FileThatWasRemovedIsMadeAnew) {
  ASSERT_THAT(file_.Write(key_, id_, 5), IsOk());
  std::filesystem::remove(path_);
  ASSERT_THAT(file_.Write(key_, id_, 6), IsOk());
  EXPECT_EQ(Read().counter, 6);
}

TEST_F(CounterFileTest, FileThatCannotBeWrittenIsSaid) {
  std::filesystem::create_directory(path_);
  EXPECT_THAT(file_.Write(key_, id_, 1), RefusedWith(Reason::kStoreUnavailable));
}

}  // namespace
}  // namespace lmbroker::store
