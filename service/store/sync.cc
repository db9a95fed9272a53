#include "service/store/sync.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "service/base/descriptor.h"

namespace lmbroker::store {

absl::Status SyncDirectoryOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const std::string directory = parent.empty() ? "." : parent;
  const Descriptor descriptor(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() >= 0 && fsync(descriptor.get()) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{}: cannot flush it: {}", directory, std::generic_category().message(errno)));
}

}  // namespace lmbroker::store
