#pragma once

// The file of a key ring: private to the broker's user, and changed as a whole or not at all.

#include <string>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/crypto/ring_key.h"

namespace lmbroker::crypto {

// FAILED_PRECONDITION with the path and the problem: the file is missing, not private, or not a valid ring.
absl::StatusOr<RingContent> ReadKeyRingFile(const std::string& path);

// Makes a new file with mode 0600. Never overwrites: ALREADY_EXISTS.
absl::Status CreateKeyRingFile(const std::string& path, const RingContent& ring);

// Reads the ring, lets `change` change it, and puts the result in its place: the old file is there until the new one is
// on disk. Through a symbolic link, the file that it points to. Nothing is written when `change` gives an error.
// FAILED_PRECONDITION, too, while another change of a file in the same directory is under way.
absl::Status ChangeKeyRingFile(const std::string& path, absl::FunctionRef<absl::Status(RingContent&)> change);

}  // namespace lmbroker::crypto
