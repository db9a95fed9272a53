#include "service/app/policy_watch.h"

#include <sys/stat.h>

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "service/base/issues.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/base/yaml.h"
#include "service/policy/engine.h"
#include "service/policy/parse.h"

namespace lmbroker::app {
namespace {

// Tells one state of a file from another, also when Kubernetes swaps a symbolic link above it.
std::string Fingerprint(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return "none";
  return fmt::format("{}:{}:{}:{}.{}", status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

std::string Lines(const Issues& issues) {
  std::string lines;
  for (const Issue& issue : issues.all()) lines += (lines.empty() ? "" : "\n") + issue.ToString();
  return lines;
}

// The policy as the file says it now, or every problem of it, a line each.
absl::StatusOr<std::shared_ptr<const policy::Policy>> Load(const std::string& path,
                                                           const std::set<PortalName>& portals) {
  ASSIGN_OR_RETURN(const std::string text, ReadPolicyFile(path));
  Issues issues(path);
  auto policy = policy::ParsePolicy(text, portals, issues);
  if (policy == nullptr) return absl::InvalidArgumentError(Lines(issues));
  return policy;
}

}  // namespace

absl::StatusOr<std::string> ReadPolicyFile(const std::string& path) { return ReadFile(path, kMostYamlBytes); }

PolicyWatch::PolicyWatch(const Parts& parts, std::string path, std::set<PortalName> portals)
    : parts_(parts), path_(std::move(path)), portals_(std::move(portals)) {}

void PolicyWatch::Check() {
  {
    const MutexLock lock(mutex_);
    if (Fingerprint(path_) == seen_) return;
  }
  Reload();
}

void PolicyWatch::Reload() {
  const MutexLock lock(mutex_);
  seen_ = Fingerprint(path_);  // before the reading: a change in between is seen the next time
  auto policy = Load(path_, portals_);
  parts_.metrics.PolicyLoaded(policy.ok());
  if (!policy.ok()) {
    parts_.holder.Keep(std::string(policy.status().message()));
    parts_.logger.Error("policy_refused", {{"file", path_}, {"problems", ToStd(policy.status().message())}});
    return;
  }
  parts_.logger.Info("policy_loaded", {{"file", path_}, {"digest", (*policy)->digest}});
  parts_.holder.Swap(std::make_shared<const policy::Engine>(*std::move(policy)), parts_.clock.Now());
}

}  // namespace lmbroker::app
