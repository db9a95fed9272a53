#pragma once

// Small files that the broker reads and writes as a whole: keys, configuration, policy, address files. Symbolic links
// are followed, since Kubernetes swaps mounted files that way. Messages name the path and what is wrong with it.

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "service/base/secret.h"

namespace lmbroker {

// The content of a regular file of at most `most_bytes`. NOT_FOUND; FAILED_PRECONDITION when it is too large, no
// regular file, or cannot be read.
absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t most_bytes);

// The same for key material, never held outside a Secret. FAILED_PRECONDITION also when the mode gives group or world
// any access: a key that others may have read is no secret any more.
absl::StatusOr<Secret> ReadSecretFile(const std::string& path, std::size_t most_bytes);

// Whether ReadSecretFile would take the file, for keys that a library reads by itself.
absl::Status CheckSecretFile(const std::string& path);

// Puts `content` at `path`, whole or not at all, also over a crash: a temporary file beside it, fsync, rename, fsync of
// the directory. The directory must exist.
absl::Status WriteFileAtomically(const std::string& path, std::string_view content, mode_t mode);

}  // namespace lmbroker
