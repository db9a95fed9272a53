#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/audit/audit_log.h"
#include "service/audit/file.h"
#include "service/audit/journal.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/mutex.h"

namespace lmbroker::audit {

// The audit in a file of JSON lines, with group commit. Callers format their record and add it to a buffer; one writer
// thread takes the whole buffer, writes it at once, and flushes it to the disk once for all who wait. A second thread
// watches over their patience, so that a hanging disk hangs the writer and nobody else.
//
// When a write or flush fails, the log is broken until one succeeds again. Each following record is a new try, and so
// is each second. Meanwhile records are refused, but kept for the file as long as the buffer has room.
class FileLog final : public AuditLog {
 public:
  struct Options {
    Journal::Options file;
    absl::Duration patience = absl::Milliseconds(250);  // the longest that a caller waits for the disk
    std::size_t most_waiting_records = 65'536;
    std::size_t most_waiting_bytes = std::size_t{32} << 20;
  };

  // Opens or continues the file and writes the start record to it, with all the time that the disk takes. The file
  // system, clock, logger and metrics must outlive this.
  static absl::StatusOr<std::unique_ptr<FileLog>> Open(Options options, FileSystem& files, const Clock& clock,
                                                       Logger& logger, Metrics& metrics);
  // Writes the stop record and flushes; waits for the disk, however long it takes. No Write may be running.
  ~FileLog() override;
  FileLog(const FileLog&) = delete;
  FileLog& operator=(const FileLog&) = delete;

  void Write(const Record& record, Durability durability, Done done) override;
  absl::Status Health() const override;
  absl::Duration Lag() const override;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Somebody who waits for the disk.
  struct Waiter {
    std::uint64_t record;  // its number among all that entered the buffer
    TimePoint deadline;
    Done done;
  };
  using Waiters = std::deque<Waiter>;

  // What the writer takes out of the buffer at a time. Empty when there is only something to flush or to try again.
  struct Batch {
    std::string lines;
    std::uint64_t last_record = 0;
    std::size_t records = 0;
    bool flush = false;  // to the disk, now
    bool last = false;   // the log is closing
  };

  FileLog(const Options& options, std::unique_ptr<Journal> journal, const Clock& clock, Logger& logger,
          Metrics& metrics);

  void Enqueue(std::string_view line, Durability durability, TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasRoom(std::size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Hangs(TimePoint now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeWriter() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void RunWriter();
  TimePoint NextDuty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AwaitBatch(Batch& batch);
  void Report(const Batch& batch, const absl::Status& status);
  Waiters EndBatch(const Batch& batch, const absl::Status& status);

  void RunWatchdog();
  Waiters AwaitOverdue();

  const std::chrono::nanoseconds patience_;
  const std::size_t most_records_;
  const std::size_t most_bytes_;
  const std::unique_ptr<Journal> journal_;  // the writer's
  const Clock& clock_;
  Logger& logger_;
  Metrics& metrics_;

  mutable Mutex mutex_;
  ConditionVariable duty_;     // for the writer
  ConditionVariable waiting_;  // for the watchdog
  std::string buffer_ ABSL_GUARDED_BY(mutex_);
  std::size_t buffered_ ABSL_GUARDED_BY(mutex_) = 0;         // records in the buffer
  bool flush_wanted_ ABSL_GUARDED_BY(mutex_) = false;        // somebody waits for one of them
  TimePoint buffer_start_ ABSL_GUARDED_BY(mutex_);           // when the first of them came
  std::uint64_t last_record_ ABSL_GUARDED_BY(mutex_) = 0;    // number of the newest
  TimePoint unflushed_since_ ABSL_GUARDED_BY(mutex_);        // age of the oldest not on disk; kNever: none
  std::size_t unwritten_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // the journal's, after a failure
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);              // why the last try failed
  TimePoint last_try_ ABSL_GUARDED_BY(mutex_);
  TimePoint busy_since_ ABSL_GUARDED_BY(mutex_);    // the writer, with the disk; kNever: it is not
  bool overdue_ ABSL_GUARDED_BY(mutex_) = false;    // somebody waited in vain, and the writer has not ended since
  TimePoint sleeps_until_ ABSL_GUARDED_BY(mutex_);  // the writer; the past: it does not sleep
  bool watchdog_idle_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;  // for the writer
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;   // for the watchdog
  Waiters waiters_ ABSL_GUARDED_BY(mutex_);       // by record, and so by deadline

  std::thread writer_;
  std::thread watchdog_;
};

}  // namespace lmbroker::audit
