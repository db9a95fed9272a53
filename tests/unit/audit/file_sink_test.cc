#include "service/audit/file_sink.h"

#include <sys/stat.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/audit/chain.h"
#include "service/audit/line.h"
#include "service/crypto/digest.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/faulty_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/audit/audit_file.h"

namespace lmbroker::audit {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

// A sink, and what the log does for it: the chain, the lines that it has not taken yet, and when it is to rotate.
class Fed {
 public:
  explicit Fed(std::unique_ptr<FileSink> sink)
      : sink_(std::move(sink)), last_(sink_->Found().value_or(Resumption{}).last) {}

  absl::Status Append(std::string_view unnumbered) {
    if (sink_->IsFull()) {
      EXPECT_THAT(sink_->Rotate(), IsOk());
    }
    while (!unnumbered.empty()) {
      const std::size_t length = unnumbered.find('\n') + 1;
      AppendChained(waiting_, unnumbered.substr(0, length), last_);
      unnumbered.remove_prefix(length);
    }
    Sink::Taken taken = sink_->Append(waiting_);
    waiting_.erase(0, taken.bytes);
    return std::move(taken.status);
  }
  absl::Status Sync() { return sink_->Sync(); }
  std::size_t unwritten_bytes() const { return waiting_.size(); }
  const FileSink& sink() const { return *sink_; }

 private:
  const std::unique_ptr<FileSink> sink_;
  Link last_;
  std::string waiting_;
};

class FileSinkTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<FileSink>> TryOpen(FileSink::Options options = {}) {
    options.path = path_;
    return FileSink::Open(std::move(options), files_, clock_, logger_);
  }
  std::unique_ptr<Fed> Open(FileSink::Options options = {}) {
    auto sink = TryOpen(std::move(options));
    EXPECT_THAT(sink, IsOk());
    return std::make_unique<Fed>(*std::move(sink));
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

TEST_F(FileSinkTest, WritesLinesInTheOrderOfAppend) {
  const auto sink = Open();
  ASSERT_THAT(sink->Append(Unnumbered("a") + Unnumbered("b")), IsOk());
  ASSERT_THAT(sink->Append(Unnumbered("c")), IsOk());
  const auto records = RecordsOf(path_);
  EXPECT_EQ(SeqsOf(records), Range(1, 3));
  EXPECT_EQ(records[0]["id"], "a");
  EXPECT_EQ(records[2]["id"], "c");
}

TEST_F(FileSinkTest, NewFileIsForItsOwnerOnly) {
  const auto sink = Open();
  struct stat facts{};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
}

TEST_F(FileSinkTest, NumbersGoOnAfterARestart) {
  ASSERT_THAT(Open()->Append(Unnumbered("a") + Unnumbered("b")), IsOk());
  const auto sink = Open();
  EXPECT_EQ(sink->sink().Found()->last.seq, 2U);
  EXPECT_FALSE(sink->sink().Found()->fragment.has_value());
  ASSERT_THAT(sink->Append(Unnumbered("c")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 3));
}

TEST_F(FileSinkTest, FragmentOfACrashIsClosedAndItsNumberUsedAgain) {
  ASSERT_THAT(Open()->Append(Unnumbered("a")), IsOk());
  WriteFile(path_, ReadFile(path_) + R"({"seq":2,"time":"2023)");
  const auto sink = Open();
  const std::string fragment = R"({"seq":2,"time":"2023)";
  EXPECT_EQ(sink->sink().Found()->fragment,
            (Fragment{.bytes = fragment.size(), .digest = crypto::Sha256Hex(fragment)}));
  ASSERT_THAT(sink->Append(Unnumbered("b")), IsOk());
  const auto lines = LinesOf(path_);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1], R"({"seq":2,"time":"2023)");
  EXPECT_EQ(nlohmann::json::parse(lines[2])["seq"], 2);
}

TEST_F(FileSinkTest, FileOfOnlyAFragmentStartsAtOne) {
  WriteFile(path_, R"({"seq":1,"ti)");
  ASSERT_THAT(Open()->Append(Unnumbered("a")), IsOk());
  EXPECT_EQ(nlohmann::json::parse(LinesOf(path_).at(1))["seq"], 1);
}

TEST_F(FileSinkTest, ZeroBytesThatAPowerFailureLeftAreAFragment) {
  ASSERT_THAT(Open()->Append(Unnumbered("a")), IsOk());
  WriteFile(path_, ReadFile(path_) + std::string(5000, '\0'));
  ASSERT_THAT(Open()->Append(Unnumbered("b")), IsOk());
  EXPECT_EQ(nlohmann::json::parse(LinesOf(path_).at(2))["seq"], 2);
}

TEST_F(FileSinkTest, FileOfSomebodyElseIsNotContinued) {
  const std::string before = "root:x:0:0::/root:/bin/sh\nnobody:x\n";
  WriteFile(path_, before);
  EXPECT_THAT(TryOpen(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("move it away")));
  EXPECT_EQ(ReadFile(path_), before);
}

TEST_F(FileSinkTest, DirectoryMustExist) {
  std::filesystem::remove_all(dir_.path());
  EXPECT_THAT(TryOpen(), StatusIs(StatusCode::kNotFound));
}

TEST_F(FileSinkTest, WhatIsNoRegularFileIsRefused) {
  std::filesystem::create_symlink("/dev/null", path_);
  EXPECT_FALSE(TryOpen().ok());
  std::filesystem::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(TryOpen().ok());
}

TEST_F(FileSinkTest, SecondWriterOfOneFileIsRefused) {
  const auto sink = Open();
  EXPECT_THAT(TryOpen(), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("in use")));
}

TEST_F(FileSinkTest, ShortWritesAreContinued) {
  const auto sink = Open();
  files_.Set({.most_per_write = 7});
  ASSERT_THAT(sink->Append(Unnumbered("a") + Unnumbered("b")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 2));
}

// A disk that fills up at any byte of a batch leaves whole lines only, and each record once when there is room again.
TEST_F(FileSinkTest, FullDiskLeavesNoHalfLineAndLosesNoRecord) {
  const auto sink = Open();
  std::uint64_t appended = 0;
  for (std::size_t room = 0; room < 440; room += 7) {
    files_.Set({.room = room});
    const std::string batch = Unnumbered("a") + Unnumbered("b");
    appended += 2;
    ASSERT_THAT(sink->Append(batch), StatusIs(StatusCode::kUnavailable)) << room;
    ASSERT_GT(sink->unwritten_bytes(), 0U);
    (void)RecordsOf(path_);  // fails the test if one is not whole
    files_.Set({});
    ASSERT_THAT(sink->Append(""), IsOk());
    ASSERT_EQ(sink->unwritten_bytes(), 0U);
    ASSERT_EQ(SeqsOf(RecordsOf(path_)), Range(1, appended)) << room;
  }
}

TEST_F(FileSinkTest, HalfLineThatCannotBeTakenBackIsGoneOnWith) {
  const auto sink = Open();
  for (int room = 1; room < 400; room += 30) {
    files_.Set({.room = static_cast<std::size_t>(room), .truncate_fails = true});
    ASSERT_FALSE(sink->Append(Unnumbered("a") + Unnumbered("b")).ok()) << room;
    files_.Set({});
    ASSERT_THAT(sink->Append(""), IsOk());
  }
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 28));
}

TEST_F(FileSinkTest, HalfLineInAFileThatIsGoneIsWrittenWholeInTheNextOne) {
  const auto sink = Open();
  files_.Set({.room = 30, .truncate_fails = true});
  ASSERT_FALSE(sink->Append(Unnumbered("a")).ok());
  files_.Set({});
  std::filesystem::remove(path_);
  ASSERT_THAT(sink->Append(""), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 1));
}

TEST_F(FileSinkTest, LastRecordWithoutItsNewlineIsARecord) {
  ASSERT_THAT(Open()->Append(Unnumbered("a") + Unnumbered("b")), IsOk());
  const std::string whole = ReadFile(path_);
  WriteFile(path_, whole.substr(0, whole.size() - 1));
  const auto sink = Open();
  EXPECT_EQ(sink->sink().Found()->last.seq, 2U);
  EXPECT_FALSE(sink->sink().Found()->fragment.has_value());
  ASSERT_THAT(sink->Append(Unnumbered("c")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 3));
}

TEST_F(FileSinkTest, FragmentThatWasClosedAndNotAccountedForIsFoundAgain) {
  ASSERT_THAT(Open()->Append(Unnumbered("a")), IsOk());
  WriteFile(path_, ReadFile(path_) + "{\"seq\":2,");
  const auto first = Open()->sink().Found();
  EXPECT_EQ(Open()->sink().Found(), first);
  WriteFile(path_, ReadFile(path_) + "again");
  EXPECT_EQ(Open()->sink().Found()->fragment,
            (Fragment{.bytes = 15, .digest = crypto::Sha256Hex("{\"seq\":2,\nagain")}));
}

TEST_F(FileSinkTest, RecordsAreReadBackOverRotatedFiles) {
  const auto sink = Open({.rotate_bytes = 900});
  for (int i = 0; i < 10; ++i) ASSERT_THAT(sink->Append(Unnumbered(std::to_string(i))), IsOk());
  ASSERT_TRUE(std::filesystem::exists(Rotated(1)));
  std::string ids;
  EXPECT_THAT(sink->sink().ReadBack([&](const ChainedLine& line) {
    ids += line.id();
    return ids.size() < 9;
  }),
              IsOk());
  EXPECT_EQ(ids, "987654321");
}

TEST_F(FileSinkTest, FailedFlushIsNotForgottenByTheNextOne) {
  const auto sink = Open();
  ASSERT_THAT(sink->Append(Unnumbered("a")), IsOk());
  files_.Set({.sync_fails = true});
  EXPECT_FALSE(sink->Sync().ok());
  EXPECT_FALSE(sink->Sync().ok());
  files_.Set({});
  EXPECT_THAT(sink->Sync(), IsOk());
}

TEST_F(FileSinkTest, RemovedFileIsNoticedAtTheNextRecord) {
  const auto sink = Open();
  ASSERT_THAT(sink->Append(Unnumbered("a")), IsOk());
  std::filesystem::remove(path_);
  ASSERT_THAT(sink->Append(Unnumbered("b")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(2, 2));
}

TEST_F(FileSinkTest, RenamedFileIsLeftAloneAndANewOneBegun) {
  const auto sink = Open();
  ASSERT_THAT(sink->Append(Unnumbered("a")), IsOk());
  std::filesystem::rename(path_, dir_ / "moved");
  ASSERT_THAT(sink->Append(Unnumbered("b")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(dir_ / "moved")), Range(1, 1));
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(2, 2));
}

TEST_F(FileSinkTest, RecordsWaitWhileTheDirectoryIsGone) {
  const auto sink = Open();
  std::filesystem::rename(dir_.path(), dir_.path().string() + ".away");
  EXPECT_FALSE(sink->Append(Unnumbered("a")).ok());
  std::filesystem::rename(dir_.path().string() + ".away", dir_.path());
  ASSERT_THAT(sink->Append(Unnumbered("b")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 2));
}

TEST_F(FileSinkTest, FullFileIsNamedAfterItsFirstRecord) {
  const auto sink = Open({.rotate_bytes = 600});
  for (int i = 0; i < 8; ++i) ASSERT_THAT(sink->Append(Unnumbered("0123456789")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(Rotated(1))), Range(1, 3));
  EXPECT_EQ(SeqsOf(RecordsOf(Rotated(4))), Range(4, 6));
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(7, 8));
}

TEST_F(FileSinkTest, OldFileIsRotatedAtTheNextRecordAlsoAfterARestart) {
  const FileSink::Options daily = {.rotate_every = absl::Hours(24)};
  {
    const auto sink = Open(daily);
    ASSERT_THAT(sink->Append(Unnumbered("a")), IsOk());
    clock_.Advance(absl::Hours(23));
    ASSERT_THAT(sink->Append(Unnumbered("b")), IsOk());
  }
  clock_.Advance(absl::Hours(1));
  const auto sink = Open(daily);
  EXPECT_FALSE(std::filesystem::exists(Rotated(1)));
  ASSERT_THAT(sink->Append(Unnumbered("c")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(Rotated(1))), Range(1, 2));
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(3, 3));
}

TEST_F(FileSinkTest, NumbersGoOnAfterACrashInTheMiddleOfARotation) {
  ASSERT_THAT(Open()->Append(Unnumbered("a") + Unnumbered("b")), IsOk());
  std::filesystem::rename(path_, Rotated(1));
  WriteFile(Rotated(0), "");
  WriteFile(path_ + ".9.gz", "compressed by somebody");
  WriteFile(path_ + ".x", "");
  ASSERT_THAT(Open()->Append(Unnumbered("c")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(3, 3));
}

TEST_F(FileSinkTest, RotationNeverOverwritesAndIsTriedAgainLater) {
  const auto sink = Open({.rotate_bytes = 1});
  ASSERT_THAT(sink->Append(Unnumbered("a")), IsOk());
  WriteFile(Rotated(1), "precious\n");
  ASSERT_THAT(sink->Append(Unnumbered("b")), IsOk());
  EXPECT_EQ(ReadFile(Rotated(1)), "precious\n");
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 2));
  std::filesystem::remove(Rotated(1));
  ASSERT_THAT(sink->Append(Unnumbered("c")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 3));
  clock_.Advance(absl::Minutes(2));
  ASSERT_THAT(sink->Append(Unnumbered("d")), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(Rotated(1))), Range(1, 3));
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(4, 4));
}

TEST_F(FileSinkTest, BacklogOfAFullDiskIsInTheRotatedFileOrTheNewOneButNotInBoth) {
  const auto sink = Open({.rotate_bytes = 200});
  ASSERT_THAT(sink->Append(Unnumbered("0123456789")), IsOk());
  files_.Set({.room = 400});
  ASSERT_FALSE(sink->Append(Unnumbered("a") + Unnumbered("b") + Unnumbered("c")).ok());
  files_.Set({});
  ASSERT_THAT(sink->Append(Unnumbered("d")), IsOk());
  std::vector<nlohmann::json> all;
  for (const auto& path : {Rotated(1), Rotated(2), Rotated(3), path_}) {
    if (!std::filesystem::exists(path)) continue;
    for (auto& record : RecordsOf(path)) all.push_back(std::move(record));
  }
  EXPECT_EQ(SeqsOf(all), Range(1, 5));
}

}  // namespace
}  // namespace lmbroker::audit
