#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/audit/audit_log.h"
#include "service/audit/checkpoint.h"
#include "service/audit/head.h"
#include "service/audit/ledger.h"
#include "service/audit/sink.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/mutex.h"

namespace lmbroker::audit {

// How many sinks must have taken a record before its caller goes on.
enum class Need { kAll, kAny };

// The audit as one chain of lines in one or more sinks, with group commit. Callers format their record and add it to a
// buffer. Each sink has a thread that writes: whichever comes first makes lines of the whole buffer, and each writes
// the lines that it has not written yet, and flushes them once for all who wait. One more thread watches over the
// callers' patience, so that a hanging sink hangs its own thread and nobody else.
//
// When a write or flush fails, the sink is broken until one succeeds again. Each following record is a new try, and so
// is each second. Lines wait for it as long as there is room. When all sinks must take them and one does not, or all
// are broken, records are refused, but kept. When any suffices, those that work do not wait for those that do not: a
// sink that is too late goes on with a gap record, which says what it missed.
class SinkLog final : public AuditLog {
 public:
  struct Options {
    Need need = Need::kAll;
    std::string head;                                   // the head file; empty: none
    absl::Duration patience = absl::Milliseconds(250);  // the longest that a caller waits for the sinks
    std::size_t most_waiting_records = 65'536;
    std::size_t most_waiting_bytes = std::size_t{32} << 20;
    Ledger::Pace checkpoints;
  };
  // All of them must outlive the log.
  struct Parts {
    const Clock& clock;
    Logger& logger;
    Metrics& metrics;
    CheckpointSigner& signer;
  };

  // Goes on with the chain that the sinks hold, gives the open intents of a run that was killed their outcome, and
  // writes the start record, with all the time that the sinks take. FAILED_PRECONDITION when the records are not those
  // that the head file knows.
  static absl::StatusOr<std::unique_ptr<SinkLog>> Open(Options options, std::vector<std::unique_ptr<Sink>> sinks,
                                                       Parts parts);
  // Writes the stop record and flushes; waits for the sinks, however long it takes. No Write may be running.
  ~SinkLog() override;
  SinkLog(const SinkLog&) = delete;
  SinkLog& operator=(const SinkLog&) = delete;

  void Write(const Record& record, Durability durability, Done done) override;
  absl::Status Health() const override;
  absl::Duration Lag() const override;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Somebody who waits for the sinks.
  struct Waiter {
    std::uint64_t record;  // its number among all that entered the buffer
    TimePoint deadline;
    Done done;
  };
  using Waiters = std::deque<Waiter>;

  // One sink and how it does. What is not its thread's own is guarded by mutex_.
  struct Lane {
    explicit Lane(std::unique_ptr<Sink> opened) : sink(std::move(opened)) {}

    const std::unique_ptr<Sink> sink;        // its thread's, like the next three
    std::shared_ptr<const Segment> segment;  // that is being written
    std::size_t offset = 0;                  // up to where
    Position position;                       // of that segment; guarded by seal_mutex_
    ConditionVariable duty;                  // for its thread
    absl::Status broken;                     // why the last try failed
    std::uint64_t tried_records = 0;         // those of the last try
    std::uint64_t tried_index = 0;           // segments of the last try
    std::uint64_t flushed_records = 0;       // on disk
    std::uint64_t flushed_index = 0;         // segments on disk
    std::uint64_t written_records = 0;       // on disk or on its way there
    std::uint64_t written_bytes = 0;         // the same
    TimePoint unflushed_since = TimePoint::max();
    TimePoint last_try;
    TimePoint busy_since = TimePoint::max();  // with the sink; max: it is not
    TimePoint sleeps_until = TimePoint::min();
    bool overdue = false;  // somebody waited for it in vain, and it has not ended since
    std::thread thread;
  };

  // What a lane's thread does at a time.
  struct Batch {
    TimePoint start;
    std::uint64_t records = 0;  // of callers, up to the newest that it has
    std::uint64_t index = 0;    // of the newest segment that it has
    std::uint64_t bytes = 0;    // in all segments up to that
    bool flush = false;         // to the disk, now
    bool more = false;          // there is something to write
    bool last = false;          // the log is closing
  };

  SinkLog(Options options, std::vector<std::unique_ptr<Sink>> sinks, Link last, Parts parts);

  absl::Status WriteStart(std::string_view unnumbered, std::size_t records);

  void Enqueue(std::string_view line, Durability durability, TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasRoom(std::size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Hangs(const Lane& lane, TimePoint now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status StateOf(const Lane& lane, TimePoint now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status State(TimePoint now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsHopeless(TimePoint now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::uint64_t Enough(std::uint64_t Lane::* progress) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeWriters() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The threads that write (sink_log_writer.cc).
  void RunWriter(Lane& lane);
  TimePoint NextDuty(const Lane& lane) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Batch AwaitBatch(Lane& lane);
  absl::Status WriteBatch(Lane& lane, Batch& batch);
  absl::Status TurnOver(Lane& lane);
  void SealWaiting(const Lane& lane, Batch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(seal_mutex_);
  void NoteSealed(TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(seal_mutex_);
  absl::Status WriteOut(Lane& lane, std::uint64_t most_index);
  std::shared_ptr<const Segment> NextSegment(Lane& lane, std::uint64_t most_index);
  void Report(const Lane& lane, const absl::Status& before, const absl::Status& now);
  void EndBatch(Lane& lane, const Batch& batch, const absl::Status& status);
  void NoteWritten(Lane& lane, const Batch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::uint64_t FailedRecords() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Waiters TakeUpTo(std::uint64_t record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void KeepHead();

  void RunWatchdog();
  Waiters AwaitOverdue();
  void Refuse(Waiters& waiters);

  const Options options_;
  const std::chrono::nanoseconds patience_;
  const Parts parts_;
  const std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<HeadKeeper> head_;  // none without a head file

  // Taken before mutex_, never for long: nobody writes to a sink under it.
  mutable Mutex seal_mutex_;
  Ledger ledger_ ABSL_GUARDED_BY(seal_mutex_);
  std::string sealing_
      ABSL_GUARDED_BY(seal_mutex_);  // takes turns with the buffer, so that neither gives up its memory
  std::uint64_t head_index_ ABSL_GUARDED_BY(seal_mutex_) = 0;  // the segment whose checkpoint is in the head file

  mutable Mutex mutex_;
  ConditionVariable waiting_;  // for the watchdog
  std::string buffer_ ABSL_GUARDED_BY(mutex_);
  std::size_t buffered_ ABSL_GUARDED_BY(mutex_) = 0;                   // records in the buffer
  std::uint64_t last_record_ ABSL_GUARDED_BY(mutex_) = 0;              // number of the newest
  std::uint64_t last_wanted_ ABSL_GUARDED_BY(mutex_) = 0;              // of the newest that somebody waits for
  TimePoint wanted_since_ ABSL_GUARDED_BY(mutex_) = TimePoint::max();  // of the oldest such in the buffer
  bool crowded_ ABSL_GUARDED_BY(mutex_) = false;                       // many waited for the last flush
  std::uint64_t counted_ ABSL_GUARDED_BY(mutex_) = 0;                  // of the newest that the metrics know as written
  std::uint64_t sealed_index_ ABSL_GUARDED_BY(mutex_) = 0;             // the ledger's, like the next two
  std::uint64_t sealed_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  TimePoint next_checkpoint_ ABSL_GUARDED_BY(mutex_) = TimePoint::max();
  bool watchdog_idle_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;  // for the writers
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;   // for the watchdog
  Waiters waiters_ ABSL_GUARDED_BY(mutex_);       // by record, and so by deadline

  std::thread watchdog_;
};

}  // namespace lmbroker::audit
