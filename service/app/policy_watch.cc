#include "service/app/policy_watch.h"

#include <memory>
#include <utility>

#include "service/base/issues.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/base/yaml.h"
#include "service/policy/engine.h"
#include "service/policy/parse.h"

namespace lmbroker::app {
namespace {

// The policy as the file says it now, or every problem of it, a line each.
absl::StatusOr<std::shared_ptr<const policy::Policy>> LoadPolicy(const std::string& path,
                                                                 const std::set<PortalName>& portals) {
  ASSIGN_OR_RETURN(const std::string text, ReadPolicyFile(path));
  Issues issues(path);
  auto policy = policy::ParsePolicy(text, portals, issues);
  if (policy == nullptr) return absl::InvalidArgumentError(issues.Text());
  return policy;
}

}  // namespace

absl::StatusOr<std::string> ReadPolicyFile(const std::string& path) { return ReadFile(path, kMostYamlBytes); }

PolicyWatch::PolicyWatch(Parts parts, std::string path, std::set<PortalName> portals)
    : parts_(std::move(parts)), path_(std::move(path)), portals_(std::move(portals)), watch_({path_}) {}

void PolicyWatch::Check() {
  const MutexLock lock(mutex_);
  if (watch_.Changed()) Load();
}

void PolicyWatch::Reload() {
  const MutexLock lock(mutex_);
  Load();
}

void PolicyWatch::Load() {
  watch_.Mark();
  auto policy = LoadPolicy(path_, portals_);
  if (!policy.ok()) {
    parts_.keep(std::string(policy.status().message()));
    parts_.logger.Error(parts_.name + "_refused", {{"file", path_}, {"problems", ToStd(policy.status().message())}});
    return;
  }
  parts_.logger.Info(parts_.name + "_loaded", {{"file", path_}, {"digest", (*policy)->digest}});
  parts_.take(std::make_shared<const policy::Engine>(*std::move(policy)));
}

}  // namespace lmbroker::app
