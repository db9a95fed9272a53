#pragma once

// Files that no other user may read: keys, and the database that holds sealed ones.

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace lmbroker::crypto {

// OK when `path`, followed through symlinks, is a regular file that belongs to this process's user and grants nothing
// to group and others; else FAILED_PRECONDITION with the path and the remedy. Only looks: closing a descriptor of the
// file would drop every lock that this process holds on it (fcntl(2)), which a database cannot bear.
absl::Status CheckPrivateFile(const std::string& path);

// Creates a file with mode 0600, whole and on disk when this returns OK. ALREADY_EXISTS, and nothing touched, when
// there is something at `path`; FAILED_PRECONDITION when it cannot be written.
absl::Status CreatePrivateFile(const std::string& path, std::string_view content);

}  // namespace lmbroker::crypto
