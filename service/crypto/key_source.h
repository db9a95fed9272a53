#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "service/base/secret.h"
#include "service/crypto/key_wrapper.h"

namespace lmbroker::crypto {

// Where the key-encryption keys come from: a key ring file, or the key of a Transit engine. Used by one thread at a
// time.
class KeySource {
 public:
  struct Keys {
    std::shared_ptr<const KeyWrapper> wrapper;
    // Signs the audit trail's checkpoints (AuditKey::kSeedBytes). Unset: the source has none.
    std::optional<Secret> audit_seed;
    bool has_place_for_audit_key = true;  // else it is kept with the records
  };

  virtual ~KeySource() = default;

  // The keys as they are now. `passphrase` may be empty: then the source opens with what it remembers of the last one.
  // INVALID_ARGUMENT: the passphrase is missing or wrong. UNAVAILABLE: a key service does not answer, or not as it
  // should. FAILED_PRECONDITION: anything else, with what and where.
  virtual absl::StatusOr<Keys> Open(const Secret& passphrase) = 0;

  // Wipes what Open remembers.
  virtual void Forget() = 0;

  // To be called often while the keys are in use: looks now and then whether the primary version is another one. What
  // it finds, the keys' PrimaryVersion says. Nothing to do for keys that change by another Open alone.
  virtual void Poll() {}

  // The files whose change makes another Open worth while.
  virtual std::vector<std::string> files() const = 0;
};

}  // namespace lmbroker::crypto
