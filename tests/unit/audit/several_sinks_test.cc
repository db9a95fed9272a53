// SinkLog with more than one sink: who is waited for, who takes over, and what a sink that was away is told.

#include <chrono>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/audit/file_sink.h"
#include "service/audit/sink_log.h"
#include "service/audit/verifier.h"
#include "tests/fakes/fake_checkpoint_signer.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/faulty_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/audit/audit_file.h"

namespace lmbroker::audit {
namespace {

using std::chrono::steady_clock;
using testing::Contains;
using testing::HasSubstr;

class SeveralSinksTest : public testing::Test {
 protected:
  static constexpr absl::Duration kPatient = absl::Minutes(2);

  absl::StatusOr<std::unique_ptr<SinkLog>> TryOpen(SinkLog::Options options) {
    std::vector<std::unique_ptr<Sink>> sinks;
    for (auto& [path, files] : {std::pair(a_, &a_files_), std::pair(b_, &b_files_)}) {
      auto sink = FileSink::Open({.path = path}, *files, clock_, logger_);
      if (!sink.ok()) return sink.status();
      sinks.push_back(*std::move(sink));
    }
    return SinkLog::Open(std::move(options), std::move(sinks),
                         {.clock = clock_, .logger = logger_, .metrics = metrics_, .signer = signer_});
  }
  std::unique_ptr<SinkLog> Open(SinkLog::Options options) {
    auto log = TryOpen(std::move(options));
    EXPECT_THAT(log, IsOk());
    return *std::move(log);
  }
  static absl::Status WriteOnDisk(SinkLog& log, const std::string& id = "x") {
    return WriteAndWait(log, {.id = id}, Durability::kOnDisk);
  }

  static Findings Verify(const std::string& path) {
    Verifier verifier({});
    verifier.BeginFile(path);
    verifier.Add(ReadFile(path));
    verifier.EndFile();
    return verifier.Finish();
  }
  void ExpectIntact(const std::string& path) {
    const Findings findings = Verify(path);
    EXPECT_EQ(findings.damage, "");
    EXPECT_THAT(findings.notes, testing::Not(Contains(HasSubstr("missing")))) << path;
  }

  TempDir dir_;
  const std::string a_ = dir_ / "a.jsonl";
  const std::string b_ = dir_ / "b.jsonl";
  FakeClock clock_;
  std::ostringstream log_output_;
  Metrics metrics_{{}};
  FaultyFileSystem a_files_;
  FaultyFileSystem b_files_;
  FakeCheckpointSigner signer_;
  Logger logger_{{}, log_output_};
};

TEST_F(SeveralSinksTest, EverySinkHasTheSameLines) {
  for (const Need need : {Need::kAll, Need::kAny}) {
    const auto log = Open({.need = need, .patience = kPatient});
    for (int i = 0; i < 50; ++i) ASSERT_THAT(WriteOnDisk(*log), IsOk());
  }
  EXPECT_EQ(ReadFile(a_), ReadFile(b_));
  ExpectIntact(a_);
}

TEST_F(SeveralSinksTest, AllMeansThatOneBrokenSinkRefuses) {
  const auto log = Open({.need = Need::kAll, .patience = kPatient});
  b_files_.Set({.room = 0});
  EXPECT_THAT(WriteOnDisk(*log, "refused"), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_FALSE(log->Health().ok());
  b_files_.Set({});
  EXPECT_THAT(WriteOnDisk(*log, "taken"), IsOk());
  EXPECT_THAT(log->Health(), IsOk());
  EXPECT_EQ(ReadFile(a_), ReadFile(b_));
}

TEST_F(SeveralSinksTest, AllMeansThatOneHungSinkRefusesInTime) {
  const auto log = Open({.need = Need::kAll});
  b_files_.Set({.hangs = true});
  EXPECT_THAT(WriteOnDisk(*log), RefusedWith(Reason::kAuditUnavailable));
  const auto start = steady_clock::now();
  EXPECT_THAT(WriteOnDisk(*log), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_LT(steady_clock::now() - start, std::chrono::milliseconds(200));
  b_files_.Set({});
}

TEST_F(SeveralSinksTest, AnyMeansThatAnotherSinkTakesOver) {
  {
    const auto log = Open({.need = Need::kAny, .patience = kPatient});
    for (FaultyFileSystem* broken : {&a_files_, &b_files_}) {
      for (const auto& faults : {FaultyFileSystem::Faults{.room = 0}, FaultyFileSystem::Faults{.read_only = true},
                                 FaultyFileSystem::Faults{.sync_fails = true}, FaultyFileSystem::Faults{.room = 777}}) {
        broken->Set(faults);
        for (int i = 0; i < 20; ++i) ASSERT_THAT(WriteOnDisk(*log), IsOk());
        EXPECT_THAT(log->Health(), IsOk());
        broken->Set({});
      }
    }
  }
  EXPECT_EQ(ReadFile(a_), ReadFile(b_));
}

TEST_F(SeveralSinksTest, AnyMeansThatAHungSinkHoldsNobodyUp) {
  const auto log = Open({.need = Need::kAny, .patience = kPatient});
  b_files_.Set({.hangs = true});
  for (int i = 0; i < 100; ++i) ASSERT_THAT(WriteOnDisk(*log), IsOk());
  EXPECT_THAT(log->Health(), IsOk());
  b_files_.Set({});
}

TEST_F(SeveralSinksTest, AnyMeansThatAllBrokenSinksRefuse) {
  const auto log = Open({.need = Need::kAny, .patience = kPatient});
  a_files_.Set({.room = 0});
  b_files_.Set({.read_only = true});
  EXPECT_THAT(WriteOnDisk(*log), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_FALSE(log->Health().ok());
  a_files_.Set({});
  EXPECT_THAT(WriteOnDisk(*log), IsOk());
  b_files_.Set({});
}

TEST_F(SeveralSinksTest, AnyMeansThatOneHungAndOneBrokenRefuseInTime) {
  const auto log = Open({.need = Need::kAny});
  a_files_.Set({.room = 0});
  b_files_.Set({.hangs = true});
  for (int i = 0; i < 3; ++i) EXPECT_THAT(WriteOnDisk(*log), RefusedWith(Reason::kAuditUnavailable));
  a_files_.Set({});
  b_files_.Set({});
}

TEST_F(SeveralSinksTest, SinkThatWasAwayForLongSaysWhatItMissed) {
  {
    const auto log = Open({.need = Need::kAny, .patience = kPatient, .most_waiting_bytes = 20'000});
    ASSERT_THAT(WriteOnDisk(*log), IsOk());
    b_files_.Set({.room = 0});
    for (int i = 0; i < 300; ++i) ASSERT_THAT(WriteOnDisk(*log), IsOk());
    b_files_.Set({});
    while (ReadFile(b_).find("\"gap\"") == std::string::npos) {
      ASSERT_THAT(WriteOnDisk(*log), IsOk());
      std::this_thread::yield();
    }
  }
  ExpectIntact(a_);
  const Findings findings = Verify(b_);
  EXPECT_EQ(findings.damage, "");
  EXPECT_THAT(findings.notes, Contains(HasSubstr("says that this sink had missed them")));
  // Nobody can use that to take the same records out of the other sink's file.
  const std::string stolen = dir_ / "stolen.jsonl";
  WriteFile(stolen, ReadFile(b_));
  EXPECT_THAT(Verify(stolen).damage, HasSubstr("are missing before record"));
}

TEST_F(SeveralSinksTest, SinkThatIsBehindAfterARestartSaysSo) {
  std::string b_before;
  {
    const auto log = Open({.need = Need::kAny, .patience = kPatient});
    ASSERT_THAT(WriteOnDisk(*log), IsOk());
    b_before = ReadFile(b_);
  }
  WriteFile(b_, b_before + "fragment");
  Open({.need = Need::kAny, .patience = kPatient}).reset();
  ExpectIntact(a_);
  const Findings findings = Verify(b_);
  EXPECT_EQ(findings.damage, "");
  EXPECT_THAT(findings.notes, Contains(HasSubstr("says that this sink had missed them")));
}

TEST_F(SeveralSinksTest, NewSinkBeginsWithTheStart) {
  Open({.patience = kPatient}).reset();
  std::filesystem::remove(b_);
  Open({.patience = kPatient}).reset();
  EXPECT_EQ(Verify(b_).damage, "");
  EXPECT_THAT(Verify(b_).notes, Contains(HasSubstr("begins with record 5")));
}

TEST_F(SeveralSinksTest, SinksOfDifferentChainsAreNotContinued) {
  Open({.patience = kPatient}).reset();
  const std::string first = ReadFile(b_);
  std::filesystem::remove(a_);
  std::filesystem::remove(b_);
  clock_.Advance(absl::Seconds(1));
  Open({.patience = kPatient}).reset();
  WriteFile(b_, first);
  EXPECT_THAT(TryOpen({}), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("hold different records")));
}

TEST_F(SeveralSinksTest, StartNeedsAsManySinksAsACallDoes) {
  b_files_.Set({.sync_fails = true});
  EXPECT_FALSE(TryOpen({.need = Need::kAll}).ok());
  EXPECT_THAT(TryOpen({.need = Need::kAny}), IsOk());
  a_files_.Set({.sync_fails = true});
  EXPECT_FALSE(TryOpen({.need = Need::kAny}).ok());
}

}  // namespace
}  // namespace lmbroker::audit
