#pragma once

#include <memory>
#include <string>

#include "service/app/config.h"
#include "service/app/file_watch.h"
#include "service/base/clock.h"
#include "service/base/executor.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/mutex.h"
#include "service/base/scheduler.h"
#include "service/identity/token_verifier.h"

namespace lmbroker::app {

// Everything behind `identity.kubernetes`: the verifier of callers' tokens, where its keys come from, and threads for
// what must be asked of the cluster (their own: a silent API keeps nobody waiting but callers with tokens).
class CallerTokens {
 public:
  // All must outlive this, and the scheduler's last work.
  struct Parts {
    const Clock& clock;
    Scheduler& scheduler;
    Logger& logger;
    Metrics& metrics;
  };

  CallerTokens(const Parts& parts, const Config::Kubernetes& config);

  identity::TokenVerifier& verifier() { return *verifier_; }

  // Reads the key file again, if there is one and it has changed. Safe for concurrent use, like the others.
  void Check();
  // Reads it again.
  void Reload();
  // Why newer keys were not taken; empty when the last ones were.
  std::string error() const { return keys_->error(); }

 private:
  void Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Parts parts_;
  const std::string key_file_;  // empty: the keys are fetched
  const std::shared_ptr<identity::IssuerKeys> keys_ = std::make_shared<identity::IssuerKeys>();
  Mutex mutex_;
  FileWatch watch_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Executor> workers_;  // null: nothing is asked of the cluster
  std::shared_ptr<identity::TokenVerifier> verifier_;
};

}  // namespace lmbroker::app
