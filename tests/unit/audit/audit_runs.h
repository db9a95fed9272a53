#pragma once

// Journals as brokers leave them: runs that end well, runs that are killed in the midst of a write, rotated files.

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/audit/file_sink.h"
#include "service/audit/sink_log.h"
#include "tests/fakes/fake_checkpoint_signer.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/faulty_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace lmbroker::audit {

struct NamedText {
  std::string name;
  std::string text;
};

class AuditRuns {
 public:
  explicit AuditRuns(std::uint64_t rotate_bytes = 0, std::uint32_t seed = 1)
      : rotate_bytes_(rotate_bytes), signer_(seed) {}

  absl::StatusOr<std::unique_ptr<SinkLog>> TryOpen() {
    auto sink = FileSink::Open({.path = path(), .rotate_bytes = rotate_bytes_}, files_, clock_, logger_);
    if (!sink.ok()) return sink.status();
    std::vector<std::unique_ptr<Sink>> sinks;
    sinks.push_back(*std::move(sink));
    return SinkLog::Open({.head = head_path(), .patience = absl::Minutes(2), .checkpoints = {.records = 16}},
                         std::move(sinks),
                         {.clock = clock_, .logger = logger_, .metrics = metrics_, .signer = signer_});
  }
  std::unique_ptr<SinkLog> Open() {
    auto log = TryOpen();
    EXPECT_THAT(log, IsOk());
    return *std::move(log);
  }

  // So many calls, each of which waits for the disk.
  void Call(SinkLog& log, int calls) {
    for (int i = 0; i < calls; ++i) {
      Record record{.kind = Kind::kIntent, .time = clock_.Now(), .id = "call-" + std::to_string(++calls_)};
      record.path = "/device/devices/" + std::to_string(calls_);
      EXPECT_THAT(WriteAndWait(log, record, Durability::kOnDisk), IsOk());
      record.kind = Kind::kOutcome;
      EXPECT_THAT(WriteAndWait(log, record, Durability::kOnDisk), IsOk());
      clock_.Advance(absl::Seconds(1));
    }
  }
  void Run(int calls) {
    const auto log = Open();
    Call(*log, calls);
  }
  // A run whose process is killed with one call open, and `fragment` at the end of the file.
  void RunAndKill(int calls, const std::string& fragment) {
    auto log = Open();
    Call(*log, calls);
    EXPECT_THAT(
        WriteAndWait(*log, {.time = clock_.Now(), .id = "open-" + std::to_string(++calls_)}, Durability::kOnDisk),
        IsOk());
    while (!std::filesystem::exists(head_path())) std::this_thread::yield();  // written by a thread of its own
    const auto left = Everything();
    log.reset();  // what it writes now, a killed process does not
    Restore(left);
    WriteFile(path(), ReadFile(path()) + fragment);
  }

  // The files in their order.
  std::vector<NamedText> Files() const {
    std::map<std::uint64_t, std::string> rotated;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("audit.jsonl.")) rotated.emplace(std::stoull(name.substr(12)), name);
    }
    std::vector<NamedText> files;
    for (const auto& [first, name] : rotated) files.push_back({name, ReadFile(dir_ / name)});
    files.push_back({"audit.jsonl", ReadFile(path())});
    return files;
  }

  std::string path() const { return dir_ / "audit.jsonl"; }
  std::string head_path() const { return dir_ / "head.json"; }
  Head head() const { return *Head::Parse(ReadFile(head_path())); }
  FakeCheckpointSigner& signer() { return signer_; }
  FakeClock& clock() { return clock_; }
  std::string log() const { return log_.str(); }

 private:
  using Snapshot = std::map<std::string, std::string>;

  Snapshot Everything() const {
    Snapshot files;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      files.emplace(entry.path().string(), ReadFile(entry.path().string()));
    }
    return files;
  }
  void Restore(const Snapshot& files) const {
    for (const auto& [path, text] : Everything()) {
      if (!files.contains(path)) std::filesystem::remove(path);
    }
    for (const auto& [path, text] : files) WriteFile(path, text);
  }

  const std::uint64_t rotate_bytes_;
  TempDir dir_;
  FakeClock clock_;
  std::ostringstream log_;
  Logger logger_{{}, log_};
  Metrics metrics_{{}};
  FaultyFileSystem files_;
  FakeCheckpointSigner signer_;
  int calls_ = 0;
};

}  // namespace lmbroker::audit
