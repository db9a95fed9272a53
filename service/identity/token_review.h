#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/https_service.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/mutex.h"
#include "service/base/secret.h"
#include "service/identity/service_account.h"

namespace lmbroker::identity {

// Asks the cluster whether a token is still good (TokenReview of authentication.k8s.io/v1): of deleted pods and
// accounts it is not. Safe for concurrent use.
class TokenReviews {
 public:
  // All must outlive this.
  struct Parts {
    const Clock& clock;
    Logger& logger;
    Metrics& metrics;
  };

  TokenReviews(const Parts& parts, std::shared_ptr<HttpsService> api, std::string audience);

  // OK only when the cluster vouches for just this account and audience. BAD_TOKEN otherwise, also when it could not be
  // asked (with RetryInfo; why is in the log). Then nobody is asked for a second, so that those who wait behind a
  // silent API are told soon. Blocks.
  absl::Status Review(const Secret& token, const ServiceAccount& account);

 private:
  absl::Status Ask(const Secret& token, const ServiceAccount& account);
  bool IsSilent() const;
  absl::Status NotAsked(std::string_view problem);

  const Parts parts_;
  const std::shared_ptr<HttpsService> api_;
  const std::string audience_;
  mutable Mutex mutex_;
  absl::Duration silent_until_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

// What the reply to a review says of `account`: OK, or BAD_TOKEN.
absl::Status JudgeReview(std::string_view reply, const std::string& audience, const ServiceAccount& account);

}  // namespace lmbroker::identity
