#include "service/audit/file_log.h"

#include <algorithm>
#include <utility>

#include "service/audit/line.h"
#include "service/base/error.h"
#include "service/base/status_macros.h"

namespace lmbroker::audit {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPace{5};          // between two writes for records that nobody waits for
constexpr milliseconds kFlushAfter{500};  // so that "within a second" holds
constexpr milliseconds kRetryAfter{1000};

constexpr steady_clock::time_point kNow = steady_clock::time_point::min();
constexpr steady_clock::time_point kNever = steady_clock::time_point::max();

}  // namespace

absl::StatusOr<std::unique_ptr<FileLog>> FileLog::Open(Options options, FileSystem& files, const Clock& clock,
                                                       Logger& logger, Metrics& metrics) {
  ASSIGN_OR_RETURN(std::unique_ptr<Journal> journal, Journal::Open(options.file, files, clock, logger));
  Record start{.kind = Kind::kStart, .time = clock.Now()};
  if (journal->found_fragment()) start.reason = "FRAGMENT_CLOSED";
  std::string line;
  AppendUnnumbered(line, start);
  RETURN_IF_ERROR(journal->Append(line));
  RETURN_IF_ERROR(journal->Sync());
  metrics.AuditWritten(1);
  return std::unique_ptr<FileLog>(new FileLog(options, std::move(journal), clock, logger, metrics));
}

FileLog::FileLog(const Options& options, std::unique_ptr<Journal> journal, const Clock& clock, Logger& logger,
                 Metrics& metrics)
    : patience_(absl::ToChronoNanoseconds(options.patience)),
      most_records_(options.most_waiting_records),
      most_bytes_(options.most_waiting_bytes),
      journal_(std::move(journal)),
      clock_(clock),
      logger_(logger),
      metrics_(metrics),
      unflushed_since_(kNever),
      last_try_(steady_clock::now()),
      busy_since_(kNever),
      sleeps_until_(kNow),
      writer_([this] { RunWriter(); }),
      watchdog_([this] { RunWatchdog(); }) {}

FileLog::~FileLog() {
  // If it fails the operational log says so, and there is nobody else to tell.
  Write({.kind = Kind::kStop, .time = clock_.Now()}, Durability::kFlushedSoon, [](const absl::Status&) {});
  {
    const MutexLock lock(mutex_);
    closing_ = true;
    duty_.notify_one();
  }
  writer_.join();
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    waiting_.notify_one();
  }
  watchdog_.join();
}

void FileLog::Write(const Record& record, Durability durability, Done done) {
  thread_local std::string line;  // keeps its memory from record to record
  line.clear();
  AppendUnnumbered(line, record);
  const TimePoint now = steady_clock::now();
  bool taken = false;
  {
    const MutexLock lock(mutex_);
    taken = HasRoom(line.size());
    if (taken) Enqueue(line, durability, now);
    const bool hopeless = !taken || Hangs(now);
    if (durability == Durability::kOnDisk && !hopeless) {
      waiters_.push_back({last_record_, now + patience_, std::move(done)});
      if (std::exchange(watchdog_idle_, false)) waiting_.notify_one();
      return;
    }
    taken = !hopeless && broken_.ok();
  }
  if (!taken) metrics_.AuditRefused();
  done(taken ? absl::OkStatus() : AuditUnavailable());
}

bool FileLog::HasRoom(std::size_t bytes) const {
  return buffered_ < most_records_ && buffer_.size() + unwritten_bytes_ + bytes <= most_bytes_;
}

// A disk that takes longer than callers wait is known to be broken, before it says so.
bool FileLog::Hangs(TimePoint now) const {
  return overdue_ || (busy_since_ != kNever && now - busy_since_ > patience_);
}

void FileLog::Enqueue(std::string_view line, Durability durability, TimePoint now) {
  if (buffered_ == 0) buffer_start_ = now;
  if (unflushed_since_ == kNever) unflushed_since_ = now;
  buffer_ += line;
  ++buffered_;
  ++last_record_;
  flush_wanted_ = flush_wanted_ || durability == Durability::kOnDisk;
  WakeWriter();
}

// Only when it would sleep too long: waking a thread costs more than all the rest of Write.
void FileLog::WakeWriter() {
  const TimePoint due = NextDuty();
  if (due < sleeps_until_) {
    sleeps_until_ = due;
    duty_.notify_one();
  }
}

// When the writer has something to do.
FileLog::TimePoint FileLog::NextDuty() const {
  if (closing_ || flush_wanted_ || buffer_.size() >= most_bytes_ / 2 || buffered_ >= most_records_ / 2) return kNow;
  TimePoint due = kNever;
  if (buffered_ > 0) due = last_try_ + kPace;
  if (!broken_.ok()) return std::min(due, last_try_ + kRetryAfter);
  if (unflushed_since_ != kNever) due = std::min(due, unflushed_since_ + kFlushAfter);
  return due;
}

void FileLog::RunWriter() {
  Batch batch;
  while (!batch.last) {
    AwaitBatch(batch);
    absl::Status status = journal_->Append(batch.lines);
    if (status.ok() && batch.flush) status = journal_->Sync();
    Report(batch, status);
    for (Waiter& waiter : EndBatch(batch, status)) {
      waiter.done(status.ok() ? absl::OkStatus() : AuditUnavailable());
    }
  }
}

void FileLog::AwaitBatch(Batch& batch) {
  const MutexLock lock(mutex_);
  TimePoint now = steady_clock::now();
  for (TimePoint due = NextDuty(); due > now; due = NextDuty(), now = steady_clock::now()) {
    sleeps_until_ = due;
    if (due == kNever) {
      duty_.wait(mutex_);
    } else {
      duty_.wait_until(mutex_, due);
    }
  }
  sleeps_until_ = kNow;
  busy_since_ = now;
  batch.lines.clear();
  batch.lines.swap(buffer_);  // the two buffers take turns, so that neither gives its memory back
  batch.last_record = last_record_;
  batch.records = std::exchange(buffered_, 0);
  batch.flush = std::exchange(flush_wanted_, false) || closing_ || !broken_.ok() ||
                (unflushed_since_ != kNever && now >= unflushed_since_ + kFlushAfter);
  batch.last = closing_;
}

void FileLog::Report(const Batch& batch, const absl::Status& status) {
  const absl::Status before = Health();
  if (status.ok()) {
    metrics_.AuditWritten(batch.records);
    if (!before.ok()) logger_.Info("audit_restored");
  } else {
    metrics_.AuditFailed();
    if (before.ok()) logger_.Error("audit_broken", {{"error", status.ToString()}});
  }
}

// Notes what became of a batch; gives those who waited for it and still do.
FileLog::Waiters FileLog::EndBatch(const Batch& batch, const absl::Status& status) {
  const MutexLock lock(mutex_);
  busy_since_ = kNever;
  overdue_ = false;
  last_try_ = steady_clock::now();
  broken_ = status;
  unwritten_bytes_ = journal_->unwritten_bytes();
  if (status.ok() && batch.flush) unflushed_since_ = buffered_ > 0 ? buffer_start_ : kNever;
  Waiters ended;
  while (!waiters_.empty() && waiters_.front().record <= batch.last_record) {
    ended.push_back(std::move(waiters_.front()));
    waiters_.pop_front();
  }
  return ended;
}

void FileLog::RunWatchdog() {
  while (true) {
    Waiters overdue = AwaitOverdue();
    if (overdue.empty()) return;
    for (Waiter& waiter : overdue) {
      metrics_.AuditRefused();
      waiter.done(AuditUnavailable());
    }
  }
}

// Those whose patience is at its end; none when the log has closed.
FileLog::Waiters FileLog::AwaitOverdue() {
  const MutexLock lock(mutex_);
  Waiters overdue;
  while (overdue.empty() && !closed_) {
    if (waiters_.empty()) {
      watchdog_idle_ = true;
      waiting_.wait(mutex_);
    } else {
      const TimePoint deadline = waiters_.front().deadline;  // a copy: its waiter may go meanwhile
      waiting_.wait_until(mutex_, deadline);
    }
    while (!waiters_.empty() && waiters_.front().deadline <= steady_clock::now()) {
      overdue.push_back(std::move(waiters_.front()));
      waiters_.pop_front();
    }
  }
  overdue_ = overdue_ || !overdue.empty();
  return overdue;
}

absl::Status FileLog::Health() const {
  const MutexLock lock(mutex_);
  if (Hangs(steady_clock::now())) return absl::UnavailableError("the disk of the audit log does not answer");
  return broken_;
}

absl::Duration FileLog::Lag() const {
  const MutexLock lock(mutex_);
  if (unflushed_since_ == kNever) return absl::ZeroDuration();
  return absl::FromChrono(steady_clock::now() - unflushed_since_);
}

}  // namespace lmbroker::audit
