#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/app/file_watch.h"
#include "service/base/file.h"
#include "service/base/log.h"
#include "service/base/mutex.h"
#include "service/base/names.h"
#include "service/policy/engine.h"

namespace lmbroker::app {

// The text of a policy file, bounded.
absl::StatusOr<std::string> ReadPolicyFile(const std::string& path);

// Keeps a policy that of its file: whole or not at all. A file that does not load changes nothing but what is said of
// it. Safe for concurrent use; the parts must outlive it.
class PolicyWatch {
 public:
  struct Parts {
    Logger& logger;
    std::string name;  // in the events of the log: "policy" gives policy_loaded and policy_refused
    std::function<void(std::shared_ptr<const policy::Engine>)> take;
    std::function<void(std::string error)> keep;  // the file was refused; a line for each problem, bounded
  };

  PolicyWatch(Parts parts, std::string path, std::set<PortalName> portals);

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
