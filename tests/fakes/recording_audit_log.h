#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "service/audit/audit_log.h"
#include "service/audit/chain.h"
#include "service/audit/line.h"
#include "service/base/mutex.h"

namespace lmbroker::audit {

// Keeps records in memory. Can be told to fail like a full disk, or to hold durable records back like a slow one (end
// it with Release) or a hanging one (end it with Expire). Safe for concurrent use.
class RecordingAuditLog final : public AuditLog {
 public:
  enum class Mode { kWorks, kFails, kHolds };

  ~RecordingAuditLog() override { Expire(); }

  void Write(const Record& record, Durability durability, Done done) override {
    Mode mode = Mode::kWorks;
    {
      const MutexLock lock(mutex_);
      mode = mode_;
      records_.push_back(record);
      durabilities_.push_back(durability);
      if (mode == Mode::kHolds && durability == Durability::kOnDisk) {
        held_.push_back(std::move(done));
        changed_.notify_all();
        return;
      }
    }
    done(mode == Mode::kFails ? AuditUnavailable() : absl::OkStatus());
  }

  absl::Status Health() const override {
    const MutexLock lock(mutex_);
    return mode_ == Mode::kFails ? absl::UnavailableError("told to fail") : absl::OkStatus();
  }

  absl::Duration Lag() const override { return absl::ZeroDuration(); }

  void Set(Mode mode) {
    const MutexLock lock(mutex_);
    mode_ = mode;
  }

  // The disk answers at last: everything held is written. On this thread.
  void Release() { EndHeld(absl::OkStatus()); }
  // 250 ms are over: everything held is refused. On this thread.
  void Expire() { EndHeld(AuditUnavailable()); }

  // Returns once at least `count` records are held back.
  void AwaitHeld(std::size_t count) {
    const MutexLock lock(mutex_);
    while (held_.size() < count) changed_.wait(mutex_);
  }

  std::vector<Record> records() const {
    const MutexLock lock(mutex_);
    return records_;
  }
  void Clear() {
    const MutexLock lock(mutex_);
    records_.clear();
    durabilities_.clear();
  }
  std::vector<Durability> durabilities() const {
    const MutexLock lock(mutex_);
    return durabilities_;
  }

  // All records as they would stand in the file, a chain from 1: what a scan for leaked secrets reads.
  std::string Text() const {
    std::string text;
    Link last;
    for (const Record& record : records()) {
      std::string line;
      AppendUnnumbered(line, record);
      AppendChained(text, line, last);
    }
    return text;
  }

 private:
  void EndHeld(const absl::Status& status) {
    std::deque<Done> held;
    {
      const MutexLock lock(mutex_);
      held.swap(held_);
    }
    for (Done& done : held) done(status);
  }

  mutable Mutex mutex_;
  ConditionVariable changed_;
  Mode mode_ ABSL_GUARDED_BY(mutex_) = Mode::kWorks;
  std::vector<Record> records_ ABSL_GUARDED_BY(mutex_);
  std::vector<Durability> durabilities_ ABSL_GUARDED_BY(mutex_);
  std::deque<Done> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::audit
