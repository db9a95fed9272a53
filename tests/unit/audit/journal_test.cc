#include "service/audit/journal.h"

#include <sys/stat.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/audit/line.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/faulty_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/audit/audit_file.h"

namespace lmbroker::audit {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

class JournalTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Journal>> TryOpen(Journal::Options options = {}) {
    options.path = path_;
    return Journal::Open(std::move(options), files_, clock_, logger_);
  }
  std::unique_ptr<Journal> Open(Journal::Options options = {}) {
    auto journal = TryOpen(std::move(options));
    EXPECT_THAT(journal, IsOk());
    return *std::move(journal);
  }

  // A record as it waits for its number.
  std::string Unnumbered(const std::string& id) const {
    std::string line;
    AppendUnnumbered(line, {.kind = Kind::kIntent, .time = clock_.Now(), .id = id});
    return line;
  }

  std::string Rotated(int seq) const { return path_ + "." + std::to_string(seq); }

  TempDir dir_;
  const std::string path_ = dir_ / "audit.jsonl";
  FaultyFileSystem files_;
  FakeClock clock_;
  std::ostringstream log_;
  Logger logger_{{}, log_};
};

TEST_F(JournalTest, NumbersLinesFromOneInTheOrderOfAppend) {
  const auto journal = Open();
  ASSERT_THAT(journal->Append(Unnumbered("a") + Unnumbered("b")), IsOk());
  ASSERT_THAT(journal->Append(Unnumbered("c")), IsOk());
  const auto records = RecordsOf(path_);
  EXPECT_EQ(SeqsOf(records), Range(1, 3));
  EXPECT_EQ(records[0]["id"], "a");
  EXPECT_EQ(records[2]["id"], "c");
}

TEST_F(JournalTest, NewFileIsForItsOwnerOnly) {
  const auto journal = Open();
  struct stat facts{};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
}

TEST_F(JournalTest, NumbersGoOnAfterARestart) {
  ASSERT_THAT(Open()->Append(Unnumbered("a") + Unnumbered("b")), IsOk());
  const auto journal = Open();
  EXPECT_FALSE(journal->found_fragment());
  ASSERT_THAT(journal->Append(Unnumbered("c")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 3));
}

TEST_F(JournalTest, FragmentOfACrashIsClosedAndItsNumberUsedAgain) {
  ASSERT_THAT(Open()->Append(Unnumbered("a")), IsOk());
  WriteFile(path_, ReadFile(path_) + R"({"seq":2,"time":"2023)");
  const auto journal = Open();
  EXPECT_TRUE(journal->found_fragment());
  ASSERT_THAT(journal->Append(Unnumbered("b")), IsOk());
  const auto lines = LinesOf(path_);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1], R"({"seq":2,"time":"2023)");
  EXPECT_EQ(nlohmann::json::parse(lines[2])["seq"], 2);
}

TEST_F(JournalTest, FileOfOnlyAFragmentStartsAtOne) {
  WriteFile(path_, R"({"seq":1,"ti)");
  ASSERT_THAT(Open()->Append(Unnumbered("a")), IsOk());
  EXPECT_EQ(nlohmann::json::parse(LinesOf(path_).at(1))["seq"], 1);
}

TEST_F(JournalTest, ZeroBytesThatAPowerFailureLeftAreAFragment) {
  ASSERT_THAT(Open()->Append(Unnumbered("a")), IsOk());
  WriteFile(path_, ReadFile(path_) + std::string(5000, '\0'));
  ASSERT_THAT(Open()->Append(Unnumbered("b")), IsOk());
  EXPECT_EQ(nlohmann::json::parse(LinesOf(path_).at(2))["seq"], 2);
}

TEST_F(JournalTest, FileOfSomebodyElseIsNotContinued) {
  const std::string before = "root:x:0:0::/root:/bin/sh\nnobody:x\n";
  WriteFile(path_, before);
  EXPECT_THAT(TryOpen(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("move it away")));
  EXPECT_EQ(ReadFile(path_), before);
}

TEST_F(JournalTest, DirectoryMustExist) {
  std::filesystem::remove_all(dir_.path());
  EXPECT_THAT(TryOpen(), StatusIs(StatusCode::kNotFound));
}

TEST_F(JournalTest, WhatIsNoRegularFileIsRefused) {
  std::filesystem::create_symlink("/dev/null", path_);
  EXPECT_FALSE(TryOpen().ok());
  std::filesystem::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(TryOpen().ok());
}

TEST_F(JournalTest, SecondWriterOfOneFileIsRefused) {
  const auto journal = Open();
  EXPECT_THAT(TryOpen(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("in use")));
}

TEST_F(JournalTest, ShortWritesAreContinued) {
  const auto journal = Open();
  files_.Set({.most_per_write = 7});
  ASSERT_THAT(journal->Append(Unnumbered("a") + Unnumbered("b")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 2));
}

// A disk that fills up at any byte of a batch leaves whole lines only, and each record once when there is room again.
TEST_F(JournalTest, FullDiskLeavesNoHalfLineAndLosesNoRecord) {
  const auto journal = Open();
  std::uint64_t appended = 0;
  for (std::size_t room = 0; room < 147; room += 7) {
    files_.Set({.room = room});
    const std::string batch = Unnumbered("a") + Unnumbered("b");
    appended += 2;
    ASSERT_THAT(journal->Append(batch), StatusIs(StatusCode::kUnavailable)) << room;
    ASSERT_GT(journal->unwritten_bytes(), 0U);
    (void)RecordsOf(path_);  // fails the test if one is not whole
    files_.Set({});
    ASSERT_THAT(journal->Append(""), IsOk());
    ASSERT_EQ(journal->unwritten_bytes(), 0U);
    ASSERT_EQ(SeqsOf(RecordsOf(path_)), Range(1, appended)) << room;
  }
}

TEST_F(JournalTest, HalfLineThatCannotBeTakenBackIsClosed) {
  const auto journal = Open();
  files_.Set({.room = 30, .truncate_fails = true});
  ASSERT_FALSE(journal->Append(Unnumbered("a")).ok());
  files_.Set({});
  ASSERT_THAT(journal->Append(Unnumbered("b")), IsOk());
  const auto lines = LinesOf(path_);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].size(), 30U);
  EXPECT_EQ(nlohmann::json::parse(lines[1])["seq"], 1);
  EXPECT_EQ(nlohmann::json::parse(lines[2])["seq"], 2);
}

TEST_F(JournalTest, FailedFlushIsNotForgottenByTheNextOne) {
  const auto journal = Open();
  ASSERT_THAT(journal->Append(Unnumbered("a")), IsOk());
  files_.Set({.sync_fails = true});
  EXPECT_FALSE(journal->Sync().ok());
  EXPECT_FALSE(journal->Sync().ok());
  files_.Set({});
  EXPECT_THAT(journal->Sync(), IsOk());
}

TEST_F(JournalTest, RemovedFileIsNoticedAtTheNextRecord) {
  const auto journal = Open();
  ASSERT_THAT(journal->Append(Unnumbered("a")), IsOk());
  std::filesystem::remove(path_);
  ASSERT_THAT(journal->Append(Unnumbered("b")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(2, 2));
}

TEST_F(JournalTest, RenamedFileIsLeftAloneAndANewOneBegun) {
  const auto journal = Open();
  ASSERT_THAT(journal->Append(Unnumbered("a")), IsOk());
  std::filesystem::rename(path_, dir_ / "moved");
  ASSERT_THAT(journal->Append(Unnumbered("b")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(dir_ / "moved")), Range(1, 1));
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(2, 2));
}

TEST_F(JournalTest, RecordsWaitWhileTheDirectoryIsGone) {
  const auto journal = Open();
  std::filesystem::rename(dir_.path(), dir_.path().string() + ".away");
  EXPECT_FALSE(journal->Append(Unnumbered("a")).ok());
  std::filesystem::rename(dir_.path().string() + ".away", dir_.path());
  ASSERT_THAT(journal->Append(Unnumbered("b")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 2));
}

TEST_F(JournalTest, FullFileIsNamedAfterItsFirstRecord) {
  const auto journal = Open({.rotate_bytes = 200});
  for (int i = 0; i < 8; ++i) ASSERT_THAT(journal->Append(Unnumbered("0123456789")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(Rotated(1))), Range(1, 3));
  EXPECT_EQ(SeqsOf(RecordsOf(Rotated(4))), Range(4, 6));
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(7, 8));
}

TEST_F(JournalTest, OldFileIsRotatedAtTheNextRecordAlsoAfterARestart) {
  const Journal::Options daily = {.rotate_every = absl::Hours(24)};
  {
    const auto journal = Open(daily);
    ASSERT_THAT(journal->Append(Unnumbered("a")), IsOk());
    clock_.Advance(absl::Hours(23));
    ASSERT_THAT(journal->Append(Unnumbered("b")), IsOk());
  }
  clock_.Advance(absl::Hours(1));
  const auto journal = Open(daily);
  EXPECT_FALSE(std::filesystem::exists(Rotated(1)));
  ASSERT_THAT(journal->Append(Unnumbered("c")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(Rotated(1))), Range(1, 2));
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(3, 3));
}

TEST_F(JournalTest, NumbersGoOnAfterACrashInTheMiddleOfARotation) {
  ASSERT_THAT(Open()->Append(Unnumbered("a") + Unnumbered("b")), IsOk());
  std::filesystem::rename(path_, Rotated(1));
  WriteFile(Rotated(0), "");
  WriteFile(path_ + ".9.gz", "compressed by somebody");
  WriteFile(path_ + ".x", "");
  ASSERT_THAT(Open()->Append(Unnumbered("c")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(3, 3));
}

TEST_F(JournalTest, RotationNeverOverwritesAndIsTriedAgainLater) {
  const auto journal = Open({.rotate_bytes = 1});
  ASSERT_THAT(journal->Append(Unnumbered("a")), IsOk());
  WriteFile(Rotated(1), "precious\n");
  ASSERT_THAT(journal->Append(Unnumbered("b")), IsOk());
  EXPECT_EQ(ReadFile(Rotated(1)), "precious\n");
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 2));
  std::filesystem::remove(Rotated(1));
  ASSERT_THAT(journal->Append(Unnumbered("c")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 3));
  clock_.Advance(absl::Minutes(2));
  ASSERT_THAT(journal->Append(Unnumbered("d")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(Rotated(1))), Range(1, 3));
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(4, 4));
}

TEST_F(JournalTest, BacklogOfAFullDiskIsInTheRotatedFileOrTheNewOneButNotInBoth) {
  const auto journal = Open({.rotate_bytes = 100});
  ASSERT_THAT(journal->Append(Unnumbered("0123456789")), IsOk());
  files_.Set({.room = 150});
  ASSERT_FALSE(journal->Append(Unnumbered("a") + Unnumbered("b") + Unnumbered("c")).ok());
  files_.Set({});
  ASSERT_THAT(journal->Append(Unnumbered("d")), IsOk());
  std::vector<nlohmann::json> all;
  for (const auto& path : {Rotated(1), Rotated(2), Rotated(3), path_}) {
    if (!std::filesystem::exists(path)) continue;
    for (auto& record : RecordsOf(path)) all.push_back(std::move(record));
  }
  EXPECT_EQ(SeqsOf(all), Range(1, 5));
}

}  // namespace
}  // namespace lmbroker::audit
