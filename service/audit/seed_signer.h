#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/audit/checkpoint.h"
#include "service/base/mutex.h"
#include "service/base/secret.h"

namespace lmbroker::audit {

// Signs checkpoints with a seed while it has one: while the broker is sealed it has none.
class SeedSigner final : public CheckpointSigner {
 public:
  // Takes the place of the seed before, which is wiped. Nothing: there is none from now on.
  void Set(std::optional<Secret> seed);

  std::optional<CheckpointSignature> Sign(std::string_view message) override;

 private:
  Mutex mutex_;
  std::optional<Secret> seed_ ABSL_GUARDED_BY(mutex_);
  std::string key_id_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::audit
