#pragma once

// Checkpoints: records whose signature says that the chain up to there is the broker's own. Without them, who may write
// the file could make a whole new chain.

#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/audit/chain.h"
#include "service/crypto/ed25519.h"

namespace lmbroker::audit {

struct CheckpointSignature {
  std::string key_id;  // Ed25519PublicKey::fingerprint
  std::string bytes;
};

// Who has the key of the audit. Safe for concurrent use; must not block.
class CheckpointSigner {
 public:
  virtual ~CheckpointSigner() = default;
  // Nothing when there is no key at the moment.
  virtual std::optional<CheckpointSignature> Sign(std::string_view message) = 0;
};

// Appends the checkpoint that follows `last`, in the form in which records wait for their number. False, and nothing
// appended, when nobody can sign.
bool AppendCheckpoint(std::string& out, absl::Time time, const Link& last, CheckpointSigner& signer);

// Whether the signature of a checkpoint record is one of this key.
bool IsSignedBy(const ChainedLine& checkpoint, const crypto::Ed25519PublicKey& key);

// The `key_id` of a checkpoint record; empty when it has none.
std::string KeyIdOf(const ChainedLine& checkpoint);

}  // namespace lmbroker::audit
