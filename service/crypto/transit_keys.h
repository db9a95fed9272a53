#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/https_service.h"
#include "service/base/mutex.h"
#include "service/base/random.h"
#include "service/base/secret.h"
#include "service/crypto/aead.h"
#include "service/crypto/key_wrapper.h"

namespace lmbroker::crypto {

// A key of a Transit engine, which never leaves its server: that wraps and unwraps. What was unwrapped is kept for a
// while, sealed under a key of this object's own. Safe for concurrent use; blocks on the network.
class TransitKeys final : public KeyWrapper {
 public:
  struct Options {
    HttpsService::Options server;  // its token file must be private
    std::string mount = "transit";
    std::string key;
    absl::Duration cache = absl::Minutes(5);
    std::size_t most_cached = 4096;
  };

  // Both must outlive it.
  TransitKeys(Options options, const Clock& clock, Random& random);

  // Whether the server wraps and unwraps for us; learns the primary version. Errors as of Wrap, but with the code
  // FAILED_PRECONDITION where the fault is one of configuration.
  absl::Status Probe() const;

  // That of the last Wrap or Probe.
  std::uint32_t PrimaryVersion() const override { return primary_.load(std::memory_order_relaxed); }
  // Both STORE_UNAVAILABLE when the server does not answer, is sealed, or does not let us.
  absl::StatusOr<WrappedKey> Wrap(const Secret& data_key, std::string_view associated) const override;
  // INTERNAL when the server does not open it.
  absl::StatusOr<Secret> Unwrap(const WrappedKey& wrapped, std::string_view associated) const override;

 private:
  struct Kept {
    std::string sealed;
    absl::Duration until;  // on Clock::Monotonic
  };

  absl::StatusOr<Secret> Ask(std::string_view verb, const Secret& request) const;
  absl::StatusOr<Secret> Decrypt(std::string_view ciphertext, std::string_view associated) const;
  std::optional<Secret> Recall(const std::string& name) const;
  void Keep(const std::string& name, const Secret& data_key) const;

  const Options options_;
  const Clock& clock_;
  mutable HttpsService api_;
  const Aead process_key_;
  mutable std::atomic<std::uint32_t> primary_ = 0;
  mutable Mutex mutex_;
  mutable std::map<std::string, Kept> kept_ ABSL_GUARDED_BY(mutex_);  // by what was unwrapped
  mutable std::deque<std::string> order_ ABSL_GUARDED_BY(mutex_);     // the oldest first
};

}  // namespace lmbroker::crypto
