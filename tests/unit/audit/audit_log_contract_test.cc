// What AuditLog promises, of the real log and of the fake that stands for it in other tests.

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/audit/audit_log.h"
#include "service/audit/file_sink.h"
#include "service/audit/sink_log.h"
#include "tests/fakes/fake_checkpoint_signer.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/faulty_file_system.h"
#include "tests/fakes/recording_audit_log.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::audit {
namespace {

// A log with a disk that the test can fill, hang, and mend.
class Bench {
 public:
  virtual ~Bench() = default;
  virtual AuditLog& log() = 0;
  virtual void Fill() = 0;
  virtual void Hang() = 0;
  // The time that a caller waits at most is over, while the disk hangs.
  virtual void PassPatience() = 0;
  virtual void Mend() = 0;
};

class SinkBench final : public Bench {
 public:
  SinkBench() {
    auto sink = FileSink::Open({.path = dir_ / "audit.jsonl"}, files_, clock_, logger_);
    EXPECT_THAT(sink, IsOk());
    std::vector<std::unique_ptr<Sink>> sinks;
    sinks.push_back(*std::move(sink));
    auto log = SinkLog::Open({.patience = absl::Seconds(1)}, std::move(sinks),
                             {.clock = clock_, .logger = logger_, .metrics = metrics_, .signer = signer_});
    EXPECT_THAT(log, IsOk());
    log_ = *std::move(log);
  }
  AuditLog& log() override { return *log_; }
  void Fill() override { files_.Set({.room = 0}); }
  void Hang() override { files_.Set({.hangs = true}); }
  void PassPatience() override {}  // real time passes by itself
  void Mend() override { files_.Set({}); }

 private:
  TempDir dir_;
  FakeClock clock_;
  std::ostringstream output_;
  Logger logger_{{}, output_};
  Metrics metrics_{{}};
  FaultyFileSystem files_;
  FakeCheckpointSigner signer_;
  std::unique_ptr<SinkLog> log_;
};

class RecordingBench final : public Bench {
 public:
  AuditLog& log() override { return log_; }
  void Fill() override { log_.Set(RecordingAuditLog::Mode::kFails); }
  void Hang() override { log_.Set(RecordingAuditLog::Mode::kHolds); }
  void PassPatience() override { log_.Expire(); }
  void Mend() override {
    log_.Set(RecordingAuditLog::Mode::kWorks);
    log_.Release();
  }

 private:
  RecordingAuditLog log_;
};

struct BenchCase {
  std::string name;
  std::function<std::unique_ptr<Bench>()> make;
};
void PrintTo(const BenchCase& test, std::ostream* out) { *out << test.name; }

class AuditLogContract : public testing::TestWithParam<BenchCase> {
 protected:
  AuditLog& log() { return bench_->log(); }
  absl::Status WriteOnDisk() { return WriteAndWait(log(), {.id = "1"}, Durability::kOnDisk); }

  const std::unique_ptr<Bench> bench_ = GetParam().make();
};

TEST_P(AuditLogContract, DurableRecordIsTaken) {
  EXPECT_THAT(WriteOnDisk(), IsOk());
  EXPECT_THAT(log().Health(), IsOk());
  EXPECT_EQ(log().Lag(), absl::ZeroDuration());
}

TEST_P(AuditLogContract, RecordThatNobodyWaitsForIsAnsweredAtOnce) {
  std::optional<absl::Status> answer;
  log().Write({.id = "1"}, Durability::kFlushedSoon, [&](absl::Status status) { answer = std::move(status); });
  ASSERT_TRUE(answer.has_value());
  EXPECT_THAT(*answer, IsOk());
}

TEST_P(AuditLogContract, FullDiskRefusesUntilItIsMended) {
  bench_->Fill();
  EXPECT_THAT(WriteOnDisk(), RefusedWith(Reason::kAuditUnavailable));
  EXPECT_FALSE(log().Health().ok());
  std::optional<absl::Status> answer;
  log().Write({.id = "1"}, Durability::kFlushedSoon, [&](absl::Status status) { answer = std::move(status); });
  ASSERT_TRUE(answer.has_value());
  EXPECT_THAT(*answer, RefusedWith(Reason::kAuditUnavailable));
  bench_->Mend();
  EXPECT_THAT(WriteOnDisk(), IsOk());
  EXPECT_THAT(log().Health(), IsOk());
}

TEST_P(AuditLogContract, HangingDiskAnswersOnceAndInTime) {
  bench_->Hang();
  int answers = 0;
  std::promise<absl::Status> answer;
  log().Write({.id = "1"}, Durability::kOnDisk, [&](absl::Status status) {
    if (++answers == 1) answer.set_value(std::move(status));
  });
  bench_->PassPatience();
  EXPECT_THAT(answer.get_future().get(), RefusedWith(Reason::kAuditUnavailable));
  bench_->Mend();
  while (!log().Health().ok()) std::this_thread::yield();
  EXPECT_THAT(WriteOnDisk(), IsOk());
  EXPECT_EQ(answers, 1);
}

INSTANTIATE_TEST_SUITE_P(All, AuditLogContract,
                         testing::Values(BenchCase{"SinkLog", [] { return std::make_unique<SinkBench>(); }},
                                         BenchCase{"RecordingAuditLog",
                                                   [] { return std::make_unique<RecordingBench>(); }}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace lmbroker::audit
