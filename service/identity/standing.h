#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/identity/revocations.h"
#include "service/identity/trust_domains.h"

namespace lmbroker::identity {

// A client certificate that TLS has verified, as PEM.
struct PresentedCertificate {
  std::string_view leaf;
  std::string_view chain;  // its intermediates
};

// Whether those who proved an identity may still use it: revocations, and authorities of trust domains. Both may change
// at any time, and each call is judged by what is in force. Safe for concurrent use.
class Standing {
 public:
  // The certificate of the connection; asked for only when it matters.
  using Certificate = std::function<PresentedCertificate()>;

  explicit Standing(const Clock& clock) : clock_(clock) {}

  void Put(std::shared_ptr<const Revocations> revocations);
  void Put(std::shared_ptr<const TrustDomains> trust);

  // Whether there is anything to judge; costs one load, so that a broker without either pays nothing.
  bool matters() const { return matters_.load(std::memory_order_acquire); }
  // NO_IDENTITY when one of the identities of a certificate is revoked, or its serial number is, or when not the right
  // authority vouches for it.
  absl::Status JudgeCertificate(const std::vector<std::string>& identities, const Certificate& certificate);
  // NO_IDENTITY when it is revoked.
  absl::Status JudgeIdentity(const std::string& identity) const;

 private:
  // What is known of a certificate. Kept, because finding it out costs more than a call may.
  struct Known {
    std::string serial;
    absl::Status trusted;
    absl::Time until;  // of `trusted`
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  struct Rules {
    std::shared_ptr<const Revocations> revocations;
    std::shared_ptr<const TrustDomains> trust;  // null: TLS has verified all there is to verify
  };

  Rules rules() const;
  Known Recall(const PresentedCertificate& certificate, const std::string& identity, const Rules& rules);
  Known Find(const PresentedCertificate& certificate, const std::string& identity, const Rules& rules) const;
  void Changed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  std::atomic<bool> matters_ = false;
  mutable Mutex mutex_;
  Rules rules_ ABSL_GUARDED_BY(mutex_){.revocations = std::make_shared<Revocations>()};
  // By the leaf's PEM: one certificate proves the same with each connection.
  std::unordered_map<std::string, Known, TextHash, std::equal_to<>> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::identity
