#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "service/base/caller.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/mutex.h"
#include "service/policy/engine.h"

namespace lmbroker::core {

// A policy that is judged beside the one in force: what it would have changed is counted and logged, and that is all it
// does. Nothing that it says reaches a caller, and no proof is ever made by it. Safe for concurrent use.
class ShadowPolicy {
 public:
  struct Parts {
    const Clock& clock;
    Logger& logger;
    Metrics& metrics;
  };
  // How it came to be, and what it would have changed since.
  struct State {
    std::string digest;  // empty until a file was read
    absl::Time load_time;
    std::string error;  // why a newer file was not taken
    std::int64_t would_allow = 0;
    std::int64_t would_refuse = 0;
  };

  explicit ShadowPolicy(const Parts& parts) : parts_(parts) {}

  // A call was decided by the policy in force: `decided` is OK with `rule`, or the refusal.
  void Compare(const Caller& caller, const policy::ForwardQuestion& question, const http::CanonicalRequest& request,
               const absl::Status& decided, std::string_view rule);
  void Compare(const Caller& caller, const policy::TokenQuestion& question, const absl::Status& decided,
               std::string_view rule);

  void Swap(std::shared_ptr<const policy::Engine> engine, absl::Time now);
  void Keep(std::string error);
  State state() const;

 private:
  struct Difference {
    const Caller& caller;
    std::string_view rule;         // of the policy that allows it
    std::string_view reason = {};  // for which the other one refuses
    std::string_view portal;
    std::string_view call;  // method or verb
    bool would_allow = false;
  };

  // Null until a file was read.
  std::shared_ptr<const policy::Engine> Get() const;
  // `difference` says which call it was, and the rule in force.
  void CompareDecisions(const policy::Decision& decision, const absl::Status& decided, Difference difference);
  void Report(const Difference& difference);
  // Whether a line about this was not written for a while.
  bool IsDue(const Difference& difference);

  const Parts parts_;
  std::atomic<std::int64_t> would_allow_ = 0;
  std::atomic<std::int64_t> would_refuse_ = 0;
  mutable Mutex mutex_;
  std::shared_ptr<const policy::Engine> engine_ ABSL_GUARDED_BY(mutex_);
  State state_ ABSL_GUARDED_BY(mutex_);  // without the counts
  Mutex lines_mutex_;
  // When the last line about a caller and rule was written.
  std::map<std::pair<std::string, std::string>, absl::Duration> lines_ ABSL_GUARDED_BY(lines_mutex_);
};

}  // namespace lmbroker::core
