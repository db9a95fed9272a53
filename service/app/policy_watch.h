#pragma once

#include <memory>
#include <set>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/app/file_watch.h"
#include "service/base/clock.h"
#include "service/base/file.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/mutex.h"
#include "service/base/names.h"
#include "service/core/policy_holder.h"
#include "service/policy/model.h"

namespace lmbroker::app {

// The text of a policy file, bounded.
absl::StatusOr<std::string> ReadPolicyFile(const std::string& path);

// Keeps the policy in force that of the file: whole or not at all. A file that does not load changes nothing but the
// holder's error, the log and a metric. Safe for concurrent use; the parts must outlive it.
class PolicyWatch {
 public:
  struct Parts {
    const Clock& clock;
    Logger& logger;
    Metrics& metrics;
    core::PolicyHolder& holder;
  };

  PolicyWatch(const Parts& parts, std::string path, std::set<PortalName> portals);

  // Reads the file again if it is not the one that was read last; the first time in any case, so that no change since
  // the start is missed.
  void Check();
  // Reads it again.
  void Reload();

 private:
  void Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Parts parts_;
  const std::string path_;
  const std::set<PortalName> portals_;
  Mutex mutex_;
  FileWatch watch_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::app
