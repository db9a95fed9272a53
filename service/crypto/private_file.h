#pragma once

// Files that no other user may read: keys, and the database that holds sealed ones.

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/base/secret.h"

namespace lmbroker::crypto {

// OK when `path` leads to a regular file that belongs to this process's user and grants nothing to group and others;
// else FAILED_PRECONDITION with the path and the remedy. Only looks: closing a descriptor of the file would drop every
// lock that this process holds on it (fcntl(2)), which a database cannot bear.
absl::Status CheckPrivateFile(const std::string& path);

// The content of a private file. Follows symlinks, since Kubernetes publishes a new version of a mounted file by
// swapping one; the checks are made on the very file that is read. FAILED_PRECONDITION when it cannot be opened, is not
// private, or has more than `most_bytes`.
absl::StatusOr<Secret> ReadPrivateFile(const std::string& path, std::size_t most_bytes);

// Creates a file with mode 0600, whole and on disk when this returns OK. ALREADY_EXISTS, and nothing touched, when
// there is something at `path`; FAILED_PRECONDITION when it cannot be written.
absl::Status CreatePrivateFile(const std::string& path, std::string_view content);

}  // namespace lmbroker::crypto
