#pragma once

// The file of a key ring: private to the broker's user, protected by a passphrase or not, and changed as a whole or not
// at all.

#include <optional>
#include <string>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/base/random.h"
#include "service/base/secret.h"
#include "service/crypto/ring_key.h"
#include "service/crypto/ring_lock.h"

namespace lmbroker::crypto {

// Where the passphrase of a protected file comes from. Not called for others.
using AskPassphrase = absl::FunctionRef<absl::StatusOr<Secret>()>;

struct OpenedRing {
  RingContent content;
  std::optional<RingLock> lock;  // of a protected file
};

// All below: FAILED_PRECONDITION with the path and the problem when the file is missing, not private, or no valid ring;
// INVALID_ARGUMENT when the passphrase is wrong; and what `ask` gives.

// `known`, if not null, is tried first: it opens every later version of the file, since its salt stays.
absl::StatusOr<OpenedRing> OpenKeyRingFile(const std::string& path, AskPassphrase ask, const RingLock* known = nullptr);

// As far as that can be said without a passphrase.
absl::Status CheckKeyRingFile(const std::string& path);

// Makes a new file with mode 0600, protected by `lock` if there is one. Never overwrites: ALREADY_EXISTS.
absl::Status CreateKeyRingFile(const std::string& path, const RingContent& ring, const RingLock* lock, Random& random);

// Opens the ring, lets `change` change it, and puts the result in its place, protected as it was: the old file is there
// until the new one is on disk. Through a symbolic link, the file that it points to. Nothing is written when `change`
// gives an error. FAILED_PRECONDITION, too, while another change of a file in the same directory is under way.
absl::Status ChangeKeyRingFile(const std::string& path, AskPassphrase ask, Random& random,
                               absl::FunctionRef<absl::Status(RingContent&)> change);

}  // namespace lmbroker::crypto
