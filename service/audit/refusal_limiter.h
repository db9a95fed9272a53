#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <thread>

#include <absl/time/time.h>

#include "service/audit/audit_log.h"
#include "service/base/clock.h"
#include "service/base/mutex.h"

namespace lmbroker::audit {

// Keeps a stranger from filling the disk with refused calls. Of each source, an identity or without one a peer address,
// 20 refused calls a second are recorded one by one, as long as their records are less than 1 MiB a minute; those
// beyond are counted in one `refusals` record a second. Only so many sources are told apart at a time; the rest share
// one. Safe for concurrent use.
class RefusalLimiter {
 public:
  static constexpr int kPairsPerSecond = 20;
  // What a source may write at once, and what it may again with each second: in any minute 912 KiB. The counts, and
  // what the sinks add, are less than the rest of 1 MiB.
  static constexpr std::size_t kMostBytes = std::size_t{192} * 1024;
  static constexpr std::size_t kBytesPerSecond = std::size_t{12} * 1024;
  static constexpr std::size_t kMostSources = 1024;

  RefusalLimiter(AuditLog& log, const Clock& clock);
  // Writes what is still to be counted.
  ~RefusalLimiter();
  RefusalLimiter(const RefusalLimiter&) = delete;
  RefusalLimiter& operator=(const RefusalLimiter&) = delete;

  // Whether this refused call gets records of its own, which are `bytes` long. If not, it has been counted.
  bool Admit(std::string_view identity, std::string_view peer, std::size_t bytes);

  // Writes the counts of a second that is over. A thread of the limiter does it while there is something to count, and
  // so does the first refusal of the next second.
  void WriteCounts();

 private:
  struct Source {
    std::string identity;
    std::string peer;  // without its port
    int admitted = 0;
    std::int64_t counted = 0;
  };
  using Sources = std::map<std::string, Source, std::less<>>;
  // What a source may still write; sources that may write all are not kept.
  struct Allowance {
    std::size_t bytes = kMostBytes;
    absl::Duration at;  // when it was that
  };

  bool Spend(std::string_view key, std::size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static Allowance At(const Allowance& allowance, absl::Duration now);
  Source& Find(std::string_view identity, std::string_view address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Sources TakeEnded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Write(const Sources& sources);
  void Work();

  AuditLog& log_;
  const Clock& clock_;
  Mutex mutex_;
  ConditionVariable changed_;
  absl::Duration start_ ABSL_GUARDED_BY(mutex_);  // of the running second, on Clock::Monotonic
  Sources sources_ ABSL_GUARDED_BY(mutex_);       // of the running second
  std::map<std::string, Allowance, std::less<>> allowances_ ABSL_GUARDED_BY(mutex_);
  bool counting_ ABSL_GUARDED_BY(mutex_) = false;  // one of them has a count
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace lmbroker::audit
