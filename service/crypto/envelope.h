#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/base/names.h"
#include "service/base/random.h"
#include "service/base/secret.h"
#include "service/crypto/key_wrapper.h"
#include "service/crypto/sealed_secret.h"

namespace lmbroker::crypto {

// What a sealed secret is. An LMv1 key cannot be opened as a Bearer token, nor the reverse.
enum class Purpose { kAccessKey, kBearerToken };

// Where a sealed secret belongs. Bound into the seal, so that a record cannot be swapped with another one, put under
// another portal, relabelled, or replaced by its own earlier version.
struct Binding {
  CredentialName credential;  // and its portal
  std::int64_t version = 0;   // of the record's secret
  Purpose purpose = Purpose::kAccessKey;
};

// A secret of the broker's own, such as "store key": bound to its name, and to nothing of a credential.
struct ValueBinding {
  std::string_view name;
};

// Envelope encryption: each secret under a data key of its own (AES-256-GCM), the data key under a key-encryption key.
// Wrapping again after that key's rotation therefore does not touch the secret.
//
//   byte 0       format, 1
//   bytes 1–4    version of the key-encryption key, big-endian
//   bytes 5–6    size of the wrapped data key, big-endian
//   then         the wrapped data key, and the secret sealed with it (Aead)
//
// Safe for concurrent use.
class Envelope {
 public:
  // Both must outlive the envelope.
  Envelope(const KeyWrapper& keys, Random& random) : keys_(&keys), random_(&random) {}

  // The secret must be at most Aead::kMostBytes.
  absl::StatusOr<SealedSecret> Seal(const Secret& secret, const Binding& binding) const;

  // INTERNAL when anything of `sealed` was changed, cut or made for another binding; SEALED when its key version is not
  // at hand.
  absl::StatusOr<Secret> Open(const SealedSecret& sealed, const Binding& binding) const;

  // The same for a secret of the broker's own.
  absl::StatusOr<SealedSecret> Seal(const Secret& secret, const ValueBinding& binding) const;
  absl::StatusOr<Secret> Open(const SealedSecret& sealed, const ValueBinding& binding) const;

  // The same secret, its data key wrapped with the primary version. The secret itself is not opened. Errors as of Open.
  absl::StatusOr<SealedSecret> Rewrap(const SealedSecret& sealed, const Binding& binding) const;
  absl::StatusOr<SealedSecret> Rewrap(const SealedSecret& sealed, const ValueBinding& binding) const;

 private:
  // A binding as bytes, one text for each layer.
  struct Associated {
    std::string data_key;
    std::string secret;
  };
  static Associated AssociatedOf(const Binding& binding);
  static Associated AssociatedOf(const ValueBinding& binding);

  absl::StatusOr<SealedSecret> SealWith(const Secret& secret, const Associated& associated) const;
  // Nothing when it does not open.
  absl::StatusOr<std::optional<Secret>> OpenWith(const SealedSecret& sealed, const Associated& associated) const;
  absl::StatusOr<std::optional<SealedSecret>> RewrapWith(const SealedSecret& sealed,
                                                         const Associated& associated) const;

  const KeyWrapper* keys_;
  Random* random_;
};

}  // namespace lmbroker::crypto
