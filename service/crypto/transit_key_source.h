#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/crypto/key_source.h"
#include "service/crypto/transit_keys.h"

namespace lmbroker::crypto {

// A key of a Transit engine. It has no passphrase, and no place for the audit's key.
class TransitKeySource final : public KeySource {
 public:
  // Both must outlive it, and the keys that it gives.
  TransitKeySource(TransitKeys::Options options, const Clock& clock, Random& random)
      : options_(std::move(options)), clock_(clock), random_(random) {}

  absl::StatusOr<Keys> Open(const Secret& passphrase) override;
  void Forget() override { keys_.reset(); }
  // Asks, once a minute, with which version the server wraps.
  void Poll() override;
  std::vector<std::string> files() const override;

 private:
  const TransitKeys::Options options_;
  const Clock& clock_;
  Random& random_;
  std::shared_ptr<const TransitKeys> keys_;  // given last
  absl::Duration polled_;
};

}  // namespace lmbroker::crypto
