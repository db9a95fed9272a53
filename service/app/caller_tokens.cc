#include "service/app/caller_tokens.h"

#include <utility>

#include "service/base/file.h"
#include "service/base/text.h"
#include "service/identity/discovery.h"
#include "service/identity/key_refresh.h"
#include "service/identity/kubernetes_api.h"
#include "service/identity/token_review.h"

namespace lmbroker::app {
namespace {

constexpr Executor::Options kWorkers{.threads = 4, .most_queued = 256};

std::shared_ptr<HttpsService> ApiOf(const Config::KubernetesApi& config) {
  return std::make_shared<HttpsService>(
      HttpsService::Options{.address = config.address, .ca = config.ca, .token_file = config.token_file},
      identity::kKubernetesApi);
}

// What was posted to the scheduler may come when the threads have ended.
identity::Workers WorkersOf(const std::shared_ptr<Executor>& executor) {
  return [weak = std::weak_ptr(executor)](absl::AnyInvocable<void()> work) {
    const auto live = weak.lock();
    return live != nullptr && live->TryPost(std::move(work));
  };
}

std::shared_ptr<identity::KeyRefresh> RefreshOf(const CallerTokens::Parts& parts, const Config::Kubernetes& config,
                                                const std::shared_ptr<identity::IssuerKeys>& keys,
                                                const std::shared_ptr<Executor>& workers) {
  if (!config.discovery.has_value()) return nullptr;
  auto fetch = [api = ApiOf(*config.discovery), issuer = config.rules.issuer] {
    return identity::FetchKeys(*api, issuer);
  };
  return std::make_shared<identity::KeyRefresh>(identity::KeyRefresh::Parts{.clock = parts.clock,
                                                                            .scheduler = parts.scheduler,
                                                                            .logger = parts.logger,
                                                                            .metrics = parts.metrics,
                                                                            .keys = keys,
                                                                            .workers = WorkersOf(workers),
                                                                            .fetch = std::move(fetch)});
}

identity::TokenVerifier::Review ReviewOf(const CallerTokens::Parts& parts, const Config::Kubernetes& config) {
  if (!config.token_review.has_value()) return nullptr;
  const auto reviews = std::make_shared<identity::TokenReviews>(
      identity::TokenReviews::Parts{.clock = parts.clock, .logger = parts.logger, .metrics = parts.metrics},
      ApiOf(*config.token_review), config.rules.audience);
  return [reviews](const Secret& token, const identity::ServiceAccount& account) {
    return reviews->Review(token, account);
  };
}

}  // namespace

CallerTokens::CallerTokens(const Parts& parts, const Config::Kubernetes& config)
    : parts_(parts), key_file_(config.jwks_file), watch_({key_file_}) {
  if (config.discovery.has_value() || config.token_review.has_value()) workers_ = std::make_shared<Executor>(kWorkers);
  const auto refresh = RefreshOf(parts_, config, keys_, workers_);
  verifier_ = std::make_shared<identity::TokenVerifier>(
      config.rules, identity::TokenVerifier::Parts{.clock = parts_.clock,
                                                   .scheduler = parts_.scheduler,
                                                   .keys = keys_,
                                                   .refresh = refresh,
                                                   .review = ReviewOf(parts_, config),
                                                   .workers = WorkersOf(workers_)});
  if (refresh != nullptr) parts_.scheduler.Post([refresh] { refresh->Start(); });
  Check();
}

void CallerTokens::Check() {
  const MutexLock lock(mutex_);
  if (!key_file_.empty() && watch_.Changed()) Load();
}

void CallerTokens::Reload() {
  const MutexLock lock(mutex_);
  if (!key_file_.empty()) Load();
}

void CallerTokens::Load() {
  watch_.Mark();
  const auto text = ReadFile(key_file_, identity::kMostKeySetBytes);
  const absl::Status taken = text.ok() ? keys_->Take(*text) : text.status();
  if (!text.ok()) keys_->Keep(std::string(taken.message()));
  parts_.metrics.Reloaded("issuer_keys", taken.ok());
  if (taken.ok()) {
    parts_.logger.Info("issuer_keys_loaded", {{"file", key_file_}, {"keys", keys_->Get()->size()}});
  } else {
    parts_.logger.Error("issuer_keys_refused", {{"file", key_file_}, {"problem", ToStd(taken.message())}});
  }
}

}  // namespace lmbroker::app
