#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <absl/time/time.h>

#include "service/audit/audit_log.h"
#include "service/base/clock.h"
#include "service/base/mutex.h"

namespace lmbroker::audit {

// Keeps a stranger from filling the disk with refused calls. Of each source, an identity or without one a peer address,
// 20 refused calls a second are recorded one by one; those beyond are counted in one `refusals` record a second. Only
// so many sources are told apart at a time; the rest share one. Safe for concurrent use.
class RefusalLimiter {
 public:
  static constexpr int kPairsPerSecond = 20;
  static constexpr std::size_t kMostSources = 1024;

  RefusalLimiter(AuditLog& log, const Clock& clock);
  // Writes what is still to be counted.
  ~RefusalLimiter();
  RefusalLimiter(const RefusalLimiter&) = delete;
  RefusalLimiter& operator=(const RefusalLimiter&) = delete;

  // Whether this refused call gets records of its own. If not, it has been counted.
  bool Admit(std::string_view identity, std::string_view peer);

  // Writes the counts of every second that is over. A thread of the limiter does it each second while there are any.
  void WriteCounts();

 private:
  struct Source {
    std::string identity;
    std::string peer;
    absl::Duration start;  // of its second, on Clock::Monotonic
    int admitted = 0;
    std::int64_t counted = 0;
  };

  void Work();
  std::vector<Source> TakeEnded(absl::Duration now);
  void WriteCount(const Source& source);

  AuditLog& log_;
  const Clock& clock_;
  Mutex mutex_;
  ConditionVariable changed_;
  std::map<std::string, Source, std::less<>> sources_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace lmbroker::audit
