// The part of SinkLog that its writing threads run: one for each sink.

#include <algorithm>
#include <limits>
#include <utility>

#include "service/audit/sink_log.h"
#include "service/base/status_macros.h"

namespace lmbroker::audit {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPace{5};          // between two writes for records that nobody waits for
constexpr milliseconds kFlushAfter{500};  // so that "within a second" holds
constexpr milliseconds kRetryAfter{1000};
// A flush costs the same for one as for a hundred. So when this many waited for the last one, others are coming, and
// the next one waits for them so long.
constexpr std::size_t kCrowd = 8;
constexpr milliseconds kLinger{1};

}  // namespace

// When a lane's thread has something to do.
SinkLog::TimePoint SinkLog::NextDuty(const Lane& lane) const {
  constexpr TimePoint kNow = TimePoint::min();
  if (closing_ || buffer_.size() >= options_.most_waiting_bytes / 2 || buffered_ >= options_.most_waiting_records / 2) {
    return kNow;
  }
  if (last_wanted_ > lane.tried_records) {
    const bool lingers = crowded_ && lane.broken.ok() && wanted_since_ != TimePoint::max();
    return lingers ? wanted_since_ + kLinger : kNow;
  }
  TimePoint due = next_checkpoint_;
  if (last_record_ > lane.tried_records || sealed_index_ > lane.tried_index) due = lane.last_try + kPace;
  if (!lane.broken.ok()) return std::min(due, lane.last_try + kRetryAfter);
  if (lane.unflushed_since != TimePoint::max()) due = std::min(due, lane.unflushed_since + kFlushAfter);
  return due;
}

void SinkLog::RunWriter(Lane& lane) {
  bool last = false;
  while (!last) {
    Batch batch = AwaitBatch(lane);
    const absl::Status status = WriteBatch(lane, batch);
    EndBatch(lane, batch, status);
    KeepHead();
    last = batch.last;
  }
}

SinkLog::Batch SinkLog::AwaitBatch(Lane& lane) {
  const MutexLock lock(mutex_);
  TimePoint now = steady_clock::now();
  for (TimePoint due = NextDuty(lane); due > now; due = NextDuty(lane), now = steady_clock::now()) {
    lane.sleeps_until = due;
    if (due == TimePoint::max()) {
      lane.duty.wait(mutex_);
    } else {
      lane.duty.wait_until(mutex_, due);
    }
  }
  lane.sleeps_until = TimePoint::min();
  lane.busy_since = now;
  return {.start = now,
          .flush = closing_ || !lane.broken.ok() ||
                   (lane.unflushed_since != TimePoint::max() && now >= lane.unflushed_since + kFlushAfter),
          .more = last_record_ > lane.tried_records || sealed_index_ > lane.tried_index,
          .last = closing_};
}

absl::Status SinkLog::WriteBatch(Lane& lane, Batch& batch) {
  const absl::Status turned = batch.more && lane.sink->IsFull() ? TurnOver(lane) : absl::OkStatus();
  {
    const MutexLock seal(seal_mutex_);
    SealWaiting(lane, batch);
  }
  RETURN_IF_ERROR(turned);
  RETURN_IF_ERROR(WriteOut(lane, batch.index));
  return batch.flush ? lane.sink->Sync() : absl::OkStatus();
}

// The last record of a full file is a checkpoint.
absl::Status SinkLog::TurnOver(Lane& lane) {
  std::uint64_t index = 0;
  {
    const MutexLock seal(seal_mutex_);
    ledger_.SealCheckpoint(steady_clock::now());
    NoteSealed(steady_clock::now());
    index = ledger_.last_index();
  }
  RETURN_IF_ERROR(WriteOut(lane, index));
  return lane.sink->Rotate();
}

// Makes lines of all that waits.
void SinkLog::SealWaiting(const Lane& lane, Batch& batch) {
  {
    const MutexLock lock(mutex_);
    sealing_.clear();
    sealing_.swap(buffer_);
    buffered_ = 0;
    wanted_since_ = TimePoint::max();
    batch.records = last_record_;
    batch.flush = batch.flush || last_wanted_ > lane.tried_records;
  }
  const TimePoint now = steady_clock::now();
  ledger_.Seal(sealing_, batch.records, now);
  if (batch.last) ledger_.SealCheckpoint(now);
  NoteSealed(now);
  batch.index = ledger_.last_index();
  batch.bytes = ledger_.sealed_bytes();
}

// Tells the other lanes what there is, checkpoints too, and forgets what nobody needs any more.
void SinkLog::NoteSealed(TimePoint now) {
  const MutexLock lock(mutex_);
  next_checkpoint_ = ledger_.next_checkpoint();
  std::uint64_t taken_by_all = ledger_.last_index();
  for (const auto& lane : lanes_) taken_by_all = std::min(taken_by_all, lane->position.index);
  ledger_.Forget(taken_by_all, Enough(&Lane::flushed_index), options_.most_waiting_bytes);
  if (sealed_index_ == ledger_.last_index()) return;
  sealed_index_ = ledger_.last_index();
  sealed_bytes_ = ledger_.sealed_bytes();
  for (const auto& lane : lanes_) lane->unflushed_since = std::min(lane->unflushed_since, now);
  WakeWriters();
}

// Writes the lines up to a segment, those that an earlier try left first.
absl::Status SinkLog::WriteOut(Lane& lane, std::uint64_t most_index) {
  while (true) {
    if (lane.segment == nullptr || lane.offset == lane.segment->lines.size()) {
      lane.segment = NextSegment(lane, most_index);
      lane.offset = 0;
      if (lane.segment == nullptr) return absl::OkStatus();
    }
    Sink::Taken taken = lane.sink->Append(std::string_view(lane.segment->lines).substr(lane.offset));
    lane.offset += taken.bytes;
    if (!taken.status.ok()) return std::move(taken.status);
  }
}

std::shared_ptr<const Segment> SinkLog::NextSegment(Lane& lane, std::uint64_t most_index) {
  const MutexLock seal(seal_mutex_);
  auto segment = ledger_.Next(lane.sink->name(), lane.position, most_index);
  NoteSealed(steady_clock::now());
  return segment;
}

// Notes what became of a batch, and answers those who waited for it and still do.
void SinkLog::EndBatch(Lane& lane, const Batch& batch, const absl::Status& status) {
  absl::Status before;
  std::uint64_t newly_written = 0;
  Waiters ended;
  Waiters failed;
  {
    const MutexLock lock(mutex_);
    before = std::exchange(lane.broken, status);
    lane.busy_since = TimePoint::max();
    lane.overdue = false;
    lane.last_try = steady_clock::now();
    lane.tried_records = batch.records;
    lane.tried_index = batch.index;
    if (status.ok()) NoteWritten(lane, batch);
    newly_written = Enough(&Lane::written_records) - counted_;
    counted_ += newly_written;
    ended = TakeUpTo(Enough(&Lane::flushed_records));
    if (batch.flush) crowded_ = ended.size() >= kCrowd;
    failed = TakeUpTo(FailedRecords());
  }
  if (newly_written > 0) parts_.metrics.AuditWritten(newly_written);
  Report(lane, before, status);
  for (Waiter& waiter : ended) waiter.done(absl::OkStatus());
  // Not counted as refused by us: the sink has spoken, as Report tells.
  for (Waiter& waiter : failed) waiter.done(AuditUnavailable());
}

// NOLINTNEXTLINE(readability-make-member-function-const): what lanes hold is the log's
void SinkLog::NoteWritten(Lane& lane, const Batch& batch) {
  lane.written_records = batch.records;
  lane.written_bytes = batch.bytes;
  if (!batch.flush) return;
  lane.flushed_records = batch.records;
  lane.flushed_index = batch.index;
  const bool more = last_record_ > batch.records || sealed_index_ > batch.index;
  lane.unflushed_since = more ? batch.start : TimePoint::max();
}

// Records up to this one cannot be had any more, since the sinks that they need have tried and failed.
std::uint64_t SinkLog::FailedRecords() const {
  const TimePoint now = steady_clock::now();
  std::uint64_t by_one = 0;                                           // that one broken sink has failed
  std::uint64_t by_each = std::numeric_limits<std::uint64_t>::max();  // that each broken one has
  for (const auto& lane : lanes_) {
    const bool hangs = Hangs(*lane, now);
    if (lane->broken.ok() && !hangs && options_.need == Need::kAny) return 0;
    if (lane->broken.ok() || hangs) continue;
    by_one = std::max(by_one, lane->tried_records);
    by_each = std::min(by_each, lane->tried_records);
  }
  return options_.need == Need::kAll || by_one == 0 ? by_one : by_each;
}

SinkLog::Waiters SinkLog::TakeUpTo(std::uint64_t record) {
  Waiters taken;
  while (!waiters_.empty() && waiters_.front().record <= record) {
    taken.push_back(std::move(waiters_.front()));
    waiters_.pop_front();
  }
  return taken;
}

void SinkLog::Report(const Lane& lane, const absl::Status& before, const absl::Status& now) {
  if (!now.ok()) parts_.metrics.AuditFailed();
  if (before.ok() && !now.ok()) {
    parts_.logger.Error("audit_broken", {{"sink", lane.sink->name()}, {"error", now.ToString()}});
  } else if (!before.ok() && now.ok()) {
    parts_.logger.Info("audit_restored", {{"sink", lane.sink->name()}});
  }
}

// The head never knows more than the sinks have on disk.
void SinkLog::KeepHead() {
  if (head_ == nullptr) return;
  const MutexLock seal(seal_mutex_);
  const std::uint64_t index = ledger_.checkpoint_index();
  if (index <= head_index_) return;
  {
    const MutexLock lock(mutex_);
    if (Enough(&Lane::flushed_index) < index) return;
  }
  head_index_ = index;
  head_->Put(ledger_.checkpoint());
}

}  // namespace lmbroker::audit
