#include "service/crypto/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <absl/cleanup/cleanup.h>
#include <fmt/format.h>

#include "service/base/descriptor.h"

namespace lmbroker::crypto {
namespace {

// What the failed system call before this says.
absl::Status SystemError(const std::string& path, std::string_view action) {
  const std::string reason = std::error_code(errno, std::generic_category()).message();
  return absl::FailedPreconditionError(fmt::format("{}: cannot {}: {}", path, action, reason));
}

bool WriteAll(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

absl::Status CheckPrivateFile(const std::string& path) {
  struct stat facts{};
  if (stat(path.c_str(), &facts) != 0) return SystemError(path, "look at it");
  if (!S_ISREG(facts.st_mode)) return absl::FailedPreconditionError(fmt::format("{}: is not a regular file", path));
  if (facts.st_uid != geteuid()) {
    return absl::FailedPreconditionError(
        fmt::format("{}: belongs to user {}, not to {} who runs this; chown it", path, facts.st_uid, geteuid()));
  }
  const unsigned mode = facts.st_mode & 07777U;
  if ((mode & 077U) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{}: mode {:04o} lets other users in; chmod it to 0600", path, mode));
  }
  return absl::OkStatus();
}

absl::Status CreatePrivateFile(const std::string& path, std::string_view content) {
  // Written under another name and then linked, which unlike rename never replaces: nobody can meet half a file.
  std::string draft = path + ".XXXXXX";
  const Descriptor file(mkostemp(draft.data(), O_CLOEXEC));  // mode 0600
  if (file.get() < 0) return SystemError(path, "create it");
  const absl::Cleanup remove_draft = [&draft] { unlink(draft.c_str()); };
  if (!WriteAll(file.get(), content) || fsync(file.get()) != 0) return SystemError(path, "write it");
  if (link(draft.c_str(), path.c_str()) != 0) {
    if (errno == EEXIST) return absl::AlreadyExistsError(fmt::format("{}: exists already and was not touched", path));
    return SystemError(path, "create it");
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const Descriptor directory(open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0) return SystemError(path, "sync its directory");
  return absl::OkStatus();
}

}  // namespace lmbroker::crypto
