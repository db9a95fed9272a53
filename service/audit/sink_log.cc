#include "service/audit/sink_log.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/audit/line.h"
#include "service/audit/marks.h"
#include "service/audit/open_intents.h"
#include "service/base/error.h"
#include "service/base/status_macros.h"

namespace lmbroker::audit {
namespace {

using std::chrono::steady_clock;

// How far the records of earlier runs are searched for open intents: many times what can be under way.
constexpr std::size_t kMostReadBack = std::size_t{64} << 20;

// The sink that holds the most of the chain; none when no sink keeps it.
const Sink* Newest(const std::vector<std::unique_ptr<Sink>>& sinks) {
  const Sink* newest = nullptr;
  for (const auto& sink : sinks) {
    const auto found = sink->Found();
    if (found.has_value() && (newest == nullptr || found->last.seq > newest->Found()->last.seq)) newest = sink.get();
  }
  return newest;
}

absl::Status CheckHead(const std::string& path, const Sink* newest) {
  if (path.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<Head> head, ReadHead(path));
  if (!head.has_value()) return absl::OkStatus();
  if (newest != nullptr) return CheckAgainstHead(*newest, *head);
  return absl::FailedPreconditionError(
      fmt::format("no sink has any record, but {} knows record {}: the audit files are gone; put them back, or, when "
                  "their loss is understood, move the head file away",
                  path, head->last.seq));
}

// Those that do not go on right behind `last`, or behind a fragment.
absl::StatusOr<std::vector<Resumption>> ResumptionsOf(const std::vector<std::unique_ptr<Sink>>& sinks,
                                                      const Link& last) {
  std::vector<Resumption> resumptions;
  for (const auto& sink : sinks) {
    const auto found = sink->Found();
    if (!found.has_value()) continue;
    if (found->last.seq == last.seq && found->last.hash != last.hash) {
      return absl::FailedPreconditionError(
          fmt::format("the sinks hold different records with number {}: {} has the one of another chain; move it away",
                      last.seq, sink->name()));
    }
    if (found->fragment.has_value() || found->last != last) resumptions.push_back(*found);
  }
  return resumptions;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SinkLog>> SinkLog::Open(Options options, std::vector<std::unique_ptr<Sink>> sinks,
                                                       Parts parts) {
  const Sink* const newest = Newest(sinks);
  RETURN_IF_ERROR(CheckHead(options.head, newest));
  const Link last =
      newest == nullptr ? Link{} : newest->Found()->last;  // NOLINT(bugprone-unchecked-optional-access): it has one
  ASSIGN_OR_RETURN(const std::vector<Resumption> resumptions, ResumptionsOf(sinks, last));
  std::vector<std::string> open;
  if (newest != nullptr) {
    ASSIGN_OR_RETURN(open, FindOpenIntents(*newest, kMostReadBack));
  }
  const absl::Time now = parts.clock.Now();
  std::string records;
  AppendStart(records, now, resumptions, open.size());
  for (const std::string& intent : open) {
    if (const auto line = ReadChained(intent); line.has_value()) AppendUnknownOutcome(records, now, *line);
  }
  if (!open.empty()) parts.logger.Warn("audit_intents_closed", {{"count", open.size()}});
  std::unique_ptr<SinkLog> log(new SinkLog(std::move(options), std::move(sinks), last, parts));
  RETURN_IF_ERROR(log->WriteStart(records, 1 + open.size()));
  return log;
}

SinkLog::SinkLog(Options options, std::vector<std::unique_ptr<Sink>> sinks, Link last, Parts parts)
    : options_(std::move(options)),
      patience_(absl::ToChronoNanoseconds(options_.patience)),
      parts_(parts),
      lanes_([&] {
        std::vector<std::unique_ptr<Lane>> lanes;
        lanes.reserve(sinks.size());
        for (auto& sink : sinks) lanes.push_back(std::make_unique<Lane>(std::move(sink)));
        return lanes;
      }()),
      ledger_(options_.checkpoints, std::move(last), parts.signer, parts.clock) {}

// The first records, before there are threads. What fails for too many sinks is told as it is.
absl::Status SinkLog::WriteStart(std::string_view unnumbered, std::size_t records) {
  {
    const MutexLock seal(seal_mutex_);
    for (const auto& lane : lanes_) lane->position.last = ledger_.last();
    ledger_.Seal(unnumbered, records, steady_clock::now());
    ledger_.SealCheckpoint(steady_clock::now());
    NoteSealed(steady_clock::now());
  }
  {
    const MutexLock lock(mutex_);
    last_record_ = records;
  }
  absl::Status failure;
  std::size_t failures = 0;
  for (const auto& lane : lanes_) {
    Batch batch{.start = steady_clock::now(), .flush = true};
    const absl::Status status = WriteBatch(*lane, batch);
    EndBatch(*lane, batch, status);
    if (status.ok()) continue;
    ++failures;
    failure.Update(status);
  }
  if (failures > 0 && (options_.need == Need::kAll || failures == lanes_.size())) return failure;
  if (!options_.head.empty()) head_ = std::make_unique<HeadKeeper>(options_.head, parts_.logger);
  KeepHead();
  for (const auto& lane : lanes_) lane->thread = std::thread([this, &lane = *lane] { RunWriter(lane); });
  watchdog_ = std::thread([this] { RunWatchdog(); });
  return absl::OkStatus();
}

SinkLog::~SinkLog() {
  if (!watchdog_.joinable()) return;  // it did not open
  // If it fails the operational log says so, and there is nobody else to tell.
  Write({.kind = Kind::kStop, .time = parts_.clock.Now()}, Durability::kFlushedSoon, [](const absl::Status&) {});
  {
    const MutexLock lock(mutex_);
    closing_ = true;
    for (const auto& lane : lanes_) lane->duty.notify_one();
  }
  for (const auto& lane : lanes_) lane->thread.join();
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    waiting_.notify_one();
  }
  watchdog_.join();
}

void SinkLog::Write(const Record& record, Durability durability, Done done) {
  thread_local std::string line;  // keeps its memory from record to record
  line.clear();
  AppendUnnumbered(line, record);
  const TimePoint now = steady_clock::now();
  bool taken = false;
  {
    const MutexLock lock(mutex_);
    taken = HasRoom(line.size());
    if (taken) Enqueue(line, durability, now);
    const bool hopeless = !taken || IsHopeless(now);
    if (durability == Durability::kOnDisk && !hopeless) {
      waiters_.push_back({last_record_, now + patience_, std::move(done)});
      if (std::exchange(watchdog_idle_, false)) waiting_.notify_one();
      return;
    }
    taken = !hopeless && State(now).ok();
  }
  if (!taken) parts_.metrics.AuditRefused();
  done(taken ? absl::OkStatus() : AuditUnavailable());
}

bool SinkLog::HasRoom(std::size_t bytes) const {
  const std::size_t behind = sealed_bytes_ - Enough(&Lane::written_bytes);
  return buffered_ < options_.most_waiting_records && buffer_.size() + behind + bytes <= options_.most_waiting_bytes;
}

// A sink that takes longer than callers wait is known to be broken, before it says so.
bool SinkLog::Hangs(const Lane& lane, TimePoint now) const {
  return lane.overdue || (lane.busy_since != TimePoint::max() && now - lane.busy_since > patience_);
}

absl::Status SinkLog::StateOf(const Lane& lane, TimePoint now) const {
  if (!Hangs(lane, now)) return lane.broken;
  return absl::UnavailableError(fmt::format("the audit's sink {} does not answer", lane.sink->name()));
}

// The first trouble that is one for callers.
absl::Status SinkLog::State(TimePoint now) const {
  absl::Status state;
  for (const auto& lane : lanes_) {
    const absl::Status one = StateOf(*lane, now);
    if (one.ok() && options_.need == Need::kAny) return one;
    state.Update(one);
  }
  return state;
}

// Whether to wait for the sinks is known to be in vain. A broken one is tried again with every record.
bool SinkLog::IsHopeless(TimePoint now) const {
  std::size_t hanging = 0;
  for (const auto& lane : lanes_) hanging += Hangs(*lane, now) ? 1 : 0;
  return options_.need == Need::kAll ? hanging > 0 : hanging == lanes_.size();
}

// How far as many sinks are as there must be.
std::uint64_t SinkLog::Enough(std::uint64_t Lane::* progress) const {
  std::uint64_t least = (*lanes_.front()).*progress;
  std::uint64_t most = least;
  for (const auto& lane : lanes_) {
    least = std::min(least, (*lane).*progress);
    most = std::max(most, (*lane).*progress);
  }
  return options_.need == Need::kAll ? least : most;
}

void SinkLog::Enqueue(std::string_view line, Durability durability, TimePoint now) {
  for (const auto& lane : lanes_) lane->unflushed_since = std::min(lane->unflushed_since, now);
  buffer_ += line;
  ++buffered_;
  ++last_record_;
  if (durability == Durability::kOnDisk) {
    last_wanted_ = last_record_;
    wanted_since_ = std::min(wanted_since_, now);
  }
  WakeWriters();
}

// Only who would sleep too long: waking a thread costs more than all the rest of Write.
void SinkLog::WakeWriters() {
  for (const auto& lane : lanes_) {
    const TimePoint due = NextDuty(*lane);
    if (due >= lane->sleeps_until) continue;
    lane->sleeps_until = due;
    lane->duty.notify_one();
  }
}

void SinkLog::RunWatchdog() {
  while (true) {
    Waiters overdue = AwaitOverdue();
    if (overdue.empty()) return;
    Refuse(overdue);
  }
}

// Those whose patience is at its end; none when the log has closed.
SinkLog::Waiters SinkLog::AwaitOverdue() {
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
  if (overdue.empty()) return overdue;
  for (const auto& lane : lanes_) lane->overdue = lane->overdue || lane->flushed_records < overdue.back().record;
  return overdue;
}

void SinkLog::Refuse(Waiters& waiters) {
  for (Waiter& waiter : waiters) {
    parts_.metrics.AuditRefused();
    waiter.done(AuditUnavailable());
  }
}

absl::Status SinkLog::Health() const {
  const MutexLock lock(mutex_);
  return State(steady_clock::now());
}

absl::Duration SinkLog::Lag() const {
  const MutexLock lock(mutex_);
  TimePoint since = options_.need == Need::kAll ? TimePoint::max() : TimePoint::min();
  for (const auto& lane : lanes_) {
    since =
        options_.need == Need::kAll ? std::min(since, lane->unflushed_since) : std::max(since, lane->unflushed_since);
  }
  return since == TimePoint::max() ? absl::ZeroDuration() : absl::FromChrono(steady_clock::now() - since);
}

}  // namespace lmbroker::audit
