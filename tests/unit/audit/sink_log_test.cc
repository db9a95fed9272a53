#include "service/audit/sink_log.h"

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <latch>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/audit/file_sink.h"
#include "service/audit/posix_file_system.h"
#include "tests/fakes/fake_checkpoint_signer.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/faulty_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/audit/audit_file.h"

namespace lmbroker::audit {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

// Without checkpoints, which have tests of their own: so every line is a record that somebody wrote.
class SinkLogTest : public testing::Test {
 protected:
  SinkLogTest() { signer_.sealed = true; }

  absl::StatusOr<std::unique_ptr<SinkLog>> TryOpen(FileSystem& files, SinkLog::Options options = {}) {
    std::vector<std::unique_ptr<Sink>> sinks;
    auto sink = FileSink::Open({.path = path_}, files, clock_, logger_);
    if (!sink.ok()) return sink.status();
    sinks.push_back(*std::move(sink));
    return SinkLog::Open(std::move(options), std::move(sinks), Parts());
  }
  SinkLog::Parts Parts() { return {.clock = clock_, .logger = logger_, .metrics = metrics_, .signer = signer_}; }
  // Patient beyond any test, unless a test says otherwise: a busy machine must not look like a broken disk.
  static constexpr absl::Duration kPatient = absl::Minutes(2);
  std::unique_ptr<SinkLog> Open(SinkLog::Options options = {.patience = kPatient}) {
    auto log = TryOpen(files_, std::move(options));
    EXPECT_THAT(log, IsOk());
    return *std::move(log);
  }

  static Record Intent(const std::string& id) { return {.kind = Kind::kIntent, .id = id}; }

  static absl::Status WriteOnDisk(SinkLog& log, const std::string& id = "durable") {
    return WriteAndWait(log, Intent(id), Durability::kOnDisk);
  }
  // FlushedSoon answers at once, hence on this thread.
  static absl::Status WriteSoon(SinkLog& log, const std::string& id = "soon") {
    absl::Status result = absl::UnknownError("not answered at once");
    log.Write(Intent(id), Durability::kFlushedSoon, [&](absl::Status status) { result = std::move(status); });
    return result;
  }

  std::vector<std::string> Ids() const {
    std::vector<std::string> ids;
    for (const auto& record : RecordsOf(path_)) ids.push_back(record.value("id", record["kind"].get<std::string>()));
    return ids;
  }

  TempDir dir_;
  const std::string path_ = dir_ / "audit.jsonl";
  FakeClock clock_;
  std::ostringstream log_output_;
  Logger logger_{{}, log_output_};
  Metrics metrics_{{}};
  FaultyFileSystem files_;
  FakeCheckpointSigner signer_;
};

TEST_F(SinkLogTest, RunBeginsWithStartAndEndsWithStop) {
  {
    const auto log = Open();
    EXPECT_THAT(WriteSoon(*log, "a"), IsOk());
    EXPECT_THAT(WriteOnDisk(*log, "b"), IsOk());
  }
  EXPECT_THAT(Ids(), testing::ElementsAre("start", "a", "b", "stop"));
  Open().reset();
  EXPECT_THAT(Ids(), testing::ElementsAre("start", "a", "b", "stop", "start", "a", "b", "stop"));  // closes them
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 8));
}

TEST_F(SinkLogTest, StartSaysThatTheLastRunLeftAFragment) {
  Open().reset();
  WriteFile(path_, ReadFile(path_) + "{\"seq\":3,");
  Open().reset();
  EXPECT_THAT(LinesOf(path_).at(3), HasSubstr(R"("seq":3,)"));
  EXPECT_THAT(LinesOf(path_).at(3), HasSubstr("FRAGMENT_CLOSED"));
}

TEST_F(SinkLogTest, LogThatCannotBeWrittenIsNotOpened) {
  files_.Set({.room = 10});
  EXPECT_THAT(TryOpen(files_), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("No space left")));
  files_.Set({.sync_fails = true});
  EXPECT_FALSE(TryOpen(files_).ok());
}

TEST_F(SinkLogTest, DurableRecordIsOnDiskWhenItsCallerGoesOn) {
  const auto log = Open();
  const int syncs = files_.syncs();
  ASSERT_THAT(WriteOnDisk(*log, "mutation"), IsOk());
  EXPECT_GT(files_.syncs(), syncs);
  EXPECT_THAT(Ids(), testing::Contains("mutation"));
}

TEST_F(SinkLogTest, RecordOfAReadIsFlushedWithinASecond) {
  const auto log = Open();
  const int syncs = files_.syncs();
  const auto start = steady_clock::now();
  ASSERT_THAT(WriteSoon(*log, "read"), IsOk());
  files_.AwaitSyncs(syncs + 1);
  EXPECT_LT(steady_clock::now() - start, milliseconds(1000));
  EXPECT_THAT(Ids(), testing::Contains("read"));
}

TEST_F(SinkLogTest, ManyWhoWaitShareAFlush) {
  const auto log = Open();
  const int syncs = files_.syncs();
  std::atomic<int> written = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 16; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        if (WriteOnDisk(*log).ok()) ++written;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(written, 800);
  EXPECT_LT(files_.syncs() - syncs, 800);
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 801));
}

// The flush that waits for others is not put off until they come.
TEST_F(SinkLogTest, WhoComesAloneBehindACrowdIsFlushedToo) {
  const auto log = Open();
  std::latch crowd(64);
  for (int i = 0; i < 64; ++i) {
    log->Write(Intent("crowd"), Durability::kOnDisk, [&](const absl::Status&) { crowd.count_down(); });
  }
  crowd.wait();
  for (int i = 0; i < 3; ++i) EXPECT_THAT(WriteOnDisk(*log, "alone"), IsOk());
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, 68));
}

TEST_F(SinkLogTest, RecordsThatNobodyWaitsForShareAWrite) {
  const auto log = Open();
  const int writes = files_.writes();
  for (int i = 0; i < 2000; ++i) ASSERT_THAT(WriteSoon(*log), IsOk());
  ASSERT_THAT(WriteOnDisk(*log), IsOk());
  EXPECT_LT(files_.writes() - writes, 500);
}

TEST_F(SinkLogTest, HangingDiskRefusesAfterAQuarterSecondAndOnlyOnce) {
  auto log = Open({});
  files_.Set({.hangs = true});
  std::atomic<int> answers = 0;
  std::promise<absl::Status> answer;
  const auto start = steady_clock::now();
  log->Write(Intent("late"), Durability::kOnDisk, [&](absl::Status status) {
    if (++answers == 1) answer.set_value(std::move(status));
  });
  EXPECT_THAT(answer.get_future().get(), RefusedWith(Reason::kAuditUnavailable));
  const auto waited = steady_clock::now() - start;
  EXPECT_GE(waited, milliseconds(250));
  EXPECT_LT(waited, milliseconds(5000));
  EXPECT_FALSE(log->Health().ok());
  EXPECT_GE(log->Lag(), absl::Milliseconds(250));

  // From now on it is known: nobody waits again.
  EXPECT_THAT(WriteOnDisk(*log, "after"), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_THAT(WriteSoon(*log, "soon after"), RefusedWith(Reason::kAuditUnavailable));

  files_.Set({});
  while (!log->Health().ok()) std::this_thread::yield();
  EXPECT_THAT(WriteSoon(*log, "healed"), IsOk());
  log.reset();
  EXPECT_EQ(answers, 1);
  EXPECT_THAT(Ids(), testing::ElementsAre("start", "late", "after", "soon after", "healed", "stop"));
}

TEST_F(SinkLogTest, FullDiskRefusesAndHealsWithTheFirstRecordThatFits) {
  const auto log = Open();
  files_.Set({.room = 0});
  EXPECT_THAT(WriteOnDisk(*log, "a"), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_THAT(log->Health(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("No space left")));
  EXPECT_THAT(WriteSoon(*log, "b"), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_THAT(WriteOnDisk(*log, "c"), RefusedWith(Reason::kAuditUnavailable));
  files_.Set({});
  EXPECT_THAT(WriteOnDisk(*log, "d"), IsOk());
  EXPECT_THAT(log->Health(), IsOk());
  EXPECT_THAT(WriteSoon(*log, "e"), IsOk());
  // What was refused is kept: it says what was intended.
  EXPECT_THAT(WriteOnDisk(*log, "f"), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("start", "a", "b", "c", "d", "e", "f"));
}

TEST_F(SinkLogTest, FullDiskIsNoticedAtTheFirstReadToo) {
  const auto log = Open();
  files_.Set({.room = 0});
  ASSERT_THAT(WriteSoon(*log), IsOk());  // nobody could know yet
  while (log->Health().ok()) std::this_thread::yield();
  EXPECT_THAT(WriteSoon(*log), RefusedWith(Reason::kAuditUnavailable));
}

TEST_F(SinkLogTest, BrokenLogHealsWithoutTraffic) {
  const auto log = Open();
  files_.Set({.room = 0});
  ASSERT_FALSE(WriteOnDisk(*log, "a").ok());
  files_.Set({});
  const int syncs = files_.syncs();
  files_.AwaitSyncs(syncs + 1);
  while (!log->Health().ok()) std::this_thread::yield();
  EXPECT_THAT(Ids(), testing::ElementsAre("start", "a"));
}

TEST_F(SinkLogTest, FailedFlushRefusesThoseWhoWaitForIt) {
  const auto log = Open();
  files_.Set({.sync_fails = true});
  EXPECT_THAT(WriteOnDisk(*log), RefusedWith(Reason::kAuditUnavailable));
  files_.Set({});
  EXPECT_THAT(WriteOnDisk(*log), IsOk());
}

TEST_F(SinkLogTest, BufferIsBoundedAndSaysSo) {
  const auto log = Open({.patience = kPatient, .most_waiting_records = 10});
  files_.Set({.hangs = true});
  ASSERT_THAT(WriteSoon(*log), IsOk());
  files_.AwaitHanging();
  int taken = 0;
  while (WriteSoon(*log).ok()) ++taken;
  EXPECT_LE(taken, 10);
  files_.Set({});
  EXPECT_THAT(metrics_.Text(), HasSubstr("lmbroker_audit_refused_total 1\n"));
}

TEST_F(SinkLogTest, BacklogOfAFullDiskIsBoundedInBytes) {
  const auto log = Open({.patience = kPatient, .most_waiting_bytes = 10'000});
  files_.Set({.room = 0});
  for (int i = 0; i < 1000; ++i) (void)WriteOnDisk(*log, std::string(200, 'x'));
  files_.Set({});
  while (!log->Health().ok()) std::this_thread::yield();
  EXPECT_THAT(WriteOnDisk(*log), IsOk());
  EXPECT_LT(std::filesystem::file_size(path_), 12'000U);
}

TEST_F(SinkLogTest, RemovedFileIsReplacedAtTheNextRecord) {
  const auto log = Open();
  std::filesystem::remove(path_);
  ASSERT_THAT(WriteOnDisk(*log, "a"), IsOk());
  EXPECT_THAT(Ids(), testing::ElementsAre("a"));
}

struct NamedFaults {
  std::string name;
  FaultyFileSystem::Faults faults;
  bool remove = false;  // the file, and it cannot be made again
};

// Peers' audits went on with a full, removed or hung file. Here the next record tells, within the bound.
TEST_F(SinkLogTest, EveryFaultIsNoticedByTheNextRecord) {
  const NamedFaults all[] = {{.name = "full", .faults = {.room = 0}},
                             {.name = "full in the midst of a line", .faults = {.room = 40}},
                             {.name = "full, and the half line stays", .faults = {.room = 40, .truncate_fails = true}},
                             {.name = "read-only", .faults = {.read_only = true}},
                             {.name = "removed", .faults = {.open_fails = true}, .remove = true},
                             {.name = "removed and read-only", .faults = {.read_only = true}, .remove = true},
                             {.name = "does not flush", .faults = {.sync_fails = true}},
                             {.name = "hangs", .faults = {.hangs = true}}};
  for (const NamedFaults& fault : all) {
    const auto log = Open({.patience = fault.faults.hangs ? absl::Milliseconds(250) : kPatient});
    ASSERT_THAT(WriteOnDisk(*log), IsOk());
    files_.Set(fault.faults);
    if (fault.remove) std::filesystem::remove(path_);
    const auto start = steady_clock::now();
    EXPECT_THAT(WriteOnDisk(*log), RefusedWith(Reason::kAuditUnavailable)) << fault.name;
    EXPECT_LT(steady_clock::now() - start, milliseconds(5000)) << fault.name;  // 250 ms, on a machine at leisure
    EXPECT_FALSE(log->Health().ok()) << fault.name;
    files_.Set({});
    while (!log->Health().ok()) std::this_thread::yield();
    EXPECT_THAT(WriteOnDisk(*log), IsOk()) << fault.name;
  }
}

TEST_F(SinkLogTest, DoneMayWriteTheNextRecord) {
  const auto log = Open();
  std::promise<absl::Status> inner;
  log->Write(Intent("a"), Durability::kOnDisk, [&](absl::Status) {
    log->Write(Intent("b"), Durability::kOnDisk, [&](absl::Status status) { inner.set_value(std::move(status)); });
  });
  EXPECT_THAT(inner.get_future().get(), IsOk());
}

TEST_F(SinkLogTest, LagIsZeroOnceAllIsOnDisk) {
  const auto log = Open();
  ASSERT_THAT(WriteOnDisk(*log), IsOk());
  EXPECT_EQ(log->Lag(), absl::ZeroDuration());
  EXPECT_THAT(metrics_.Text(), HasSubstr("lmbroker_audit_records_total 2\n"));
}

// Every record gets one answer, and the file is whole and gapless, whatever the disk does meanwhile.
TEST_F(SinkLogTest, EveryRecordIsAnsweredOnceInAStormOfFaults) {
  constexpr int kThreads = 4;
  constexpr int kRecords = 300;
  std::atomic<int> answers = 0;
  {
    const auto log = Open();
    std::atomic<bool> done = false;
    std::thread weather([&] {
      while (!done) {
        files_.Set({.room = 300});
        std::this_thread::yield();
        files_.Set({.most_per_write = 11});
        std::this_thread::yield();
        files_.Set({.sync_fails = true});
        std::this_thread::yield();
        files_.Set({});
        std::this_thread::yield();
      }
      files_.Set({});
    });
    std::vector<std::thread> writers;
    for (int thread = 0; thread < kThreads; ++thread) {
      writers.emplace_back([&, thread] {
        for (int i = 0; i < kRecords; ++i) {
          const auto durability = (thread + i) % 2 == 0 ? Durability::kOnDisk : Durability::kFlushedSoon;
          log->Write(Intent("x"), durability, [&](const absl::Status&) { ++answers; });
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
    done = true;
    weather.join();
    ASSERT_THAT(WriteOnDisk(*log), IsOk());
  }
  EXPECT_EQ(answers, kThreads * kRecords);
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, kThreads * kRecords + 3));
}

// The limit of the operating system on the size of a file, as a full disk of the real kind.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : previous_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &previous_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = previous_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &previous_);
    std::signal(SIGXFSZ, previous_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*previous_handler_)(int);
  rlimit previous_{};
};

TEST_F(SinkLogTest, RealFileThatCannotGrowRefusesStaysWholeAndHeals) {
  PosixFileSystem files;
  auto log = TryOpen(files, {.patience = kPatient});
  ASSERT_THAT(log, IsOk());
  int written = 0;
  {
    const FileSizeLimit limit(3000);
    while (WriteOnDisk(**log).ok()) ++written;
    EXPECT_GT(written, 2);
    EXPECT_LT(written, 20);
    EXPECT_FALSE(WriteOnDisk(**log).ok());
    EXPECT_THAT((*log)->Health(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("File too large")));
    EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, static_cast<std::uint64_t>(written) + 1));
  }
  EXPECT_THAT(WriteOnDisk(**log), IsOk());
  log->reset();
  EXPECT_EQ(SeqsOf(RecordsOf(path_)), Range(1, static_cast<std::uint64_t>(written) + 5));
}

}  // namespace
}  // namespace lmbroker::audit
