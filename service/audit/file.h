#pragma once

// What the audit needs of a file system, and no more: a seam, so that full, slow, broken and hanging disks can be
// tested for their real effect. Errors name the operation, the path and the system's reason.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace lmbroker::audit {

// Which file it is, whatever it is called.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};

// A file open for appending, by this process alone. Closes itself. Not synchronised. Any call may block for as long as
// the disk pleases.
class File {
 public:
  virtual ~File() = default;

  virtual FileId Id() const = 0;
  virtual absl::StatusOr<std::uint64_t> Size() const = 0;
  // Appends the first bytes of `data`, at least one, and says how many: fewer than all when the disk fills up.
  virtual absl::StatusOr<std::size_t> Append(std::string_view data) = 0;
  // Returns once everything appended is on the disk. After an error nothing is known about any of it.
  virtual absl::Status Sync() = 0;
  virtual absl::Status Truncate(std::uint64_t size) = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Opens a regular file for appending, makes it (mode 0600) when there is none, and locks it. FAILED_PRECONDITION when
  // another process has it.
  virtual absl::StatusOr<std::unique_ptr<File>> OpenForAppend(const std::string& path) = 0;
  // Which file has this path now; NOT_FOUND.
  virtual absl::StatusOr<FileId> Identify(const std::string& path) const = 0;
  // How long a file is; NOT_FOUND.
  virtual absl::StatusOr<std::uint64_t> SizeOf(const std::string& path) const = 0;
  // The bytes of a file from `offset` on, at most `most_bytes` and as many as there are; NOT_FOUND.
  virtual absl::StatusOr<std::string> Read(const std::string& path, std::uint64_t offset,
                                           std::size_t most_bytes) const = 0;
  // Never overwrites: ALREADY_EXISTS.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // Names in a directory, in no order.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& directory) const = 0;
  // Makes new names and renamings in a directory survive a crash.
  virtual absl::Status SyncDirectory(const std::string& directory) = 0;
};

}  // namespace lmbroker::audit
