#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/caller.h"
#include "service/base/mutex.h"
#include "service/base/names.h"
#include "service/core/shadow_policy.h"
#include "service/policy/engine.h"

namespace lmbroker::core {

// The policy in force. A reload swaps it whole; whoever holds a snapshot finishes with it. Safe for concurrent use.
class PolicyHolder {
 public:
  // How the policy in force came to be, and why a newer file was not taken.
  struct State {
    absl::Time load_time;
    std::string error;  // empty when the file on disk is in force
  };

  // `shadow` may be null; else it must outlive this.
  explicit PolicyHolder(std::shared_ptr<const policy::Engine> engine, absl::Time now = absl::UnixEpoch(),
                        ShadowPolicy* shadow = nullptr)
      : shadow_(shadow), engine_(std::move(engine)), state_{.load_time = now} {}

  std::shared_ptr<const policy::Engine> Get() const {
    const MutexLock lock(mutex_);
    return engine_;
  }
  // Engine::Authorize by a snapshot that Get gave; the shadow policy is judged beside it, where there is one.
  absl::StatusOr<policy::AuthorizedCall> Authorize(const policy::Engine& engine, const Caller& caller,
                                                   const PortalName& portal,
                                                   const std::optional<CredentialName>& credential,
                                                   const std::shared_ptr<const http::CanonicalRequest>& request) const;
  absl::StatusOr<policy::TokenGrant> Authorize(const policy::Engine& engine, const Caller& caller,
                                               const policy::TokenQuestion& question) const;

  State state() const {
    const MutexLock lock(mutex_);
    return state_;
  }

  void Swap(std::shared_ptr<const policy::Engine> engine, absl::Time now) {
    const MutexLock lock(mutex_);
    engine_.swap(engine);  // the old one dies outside the lock
    state_ = {.load_time = now};
  }
  // A newer file was refused; the policy in force stays.
  void Keep(std::string error) {
    const MutexLock lock(mutex_);
    state_.error = std::move(error);
  }

 private:
  ShadowPolicy* const shadow_;
  mutable Mutex mutex_;
  std::shared_ptr<const policy::Engine> engine_ ABSL_GUARDED_BY(mutex_);
  State state_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::core
