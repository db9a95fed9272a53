#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/audit/file.h"

namespace lmbroker::audit {

// The operating system's files. Without state, hence safe for concurrent use.
class PosixFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> OpenForAppend(const std::string& path) override;
  absl::StatusOr<FileId> Identify(const std::string& path) const override;
  absl::StatusOr<std::uint64_t> SizeOf(const std::string& path) const override;
  absl::StatusOr<std::string> Read(const std::string& path, std::uint64_t offset,
                                   std::size_t most_bytes) const override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) const override;
  absl::Status SyncDirectory(const std::string& directory) override;
};

}  // namespace lmbroker::audit
