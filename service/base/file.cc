#include "service/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "service/base/descriptor.h"
#include "service/base/status_macros.h"

namespace lmbroker {
namespace {

absl::Status Failed(std::string_view what, const std::string& path, int error) {
  const std::string message = fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(error));
  return error == ENOENT ? absl::NotFoundError(message) : absl::FailedPreconditionError(message);
}

struct OpenedFile {
  Descriptor descriptor;
  struct stat facts;
};

absl::StatusOr<OpenedFile> OpenRegular(const std::string& path) {
  // O_NONBLOCK: a pipe in place of the file must not hang the start.
  Descriptor descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) return Failed("open", path, errno);
  struct stat facts{};
  if (fstat(descriptor.get(), &facts) != 0) return Failed("examine", path, errno);
  if (!S_ISREG(facts.st_mode)) return absl::FailedPreconditionError(fmt::format("{} is no regular file", path));
  return OpenedFile{std::move(descriptor), facts};
}

absl::StatusOr<OpenedFile> OpenSecret(const std::string& path) {
  ASSIGN_OR_RETURN(OpenedFile file, OpenRegular(path));
  if ((file.facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} has mode {:04o}, so others than its owner may use the key; chmod 0600 it (and replace the key "
                    "if it was exposed)",
                    path, file.facts.st_mode & 07777U));
  }
  return file;
}

// Fills `buffer` from the file; gives how many bytes there were, at most `size`.
absl::StatusOr<std::size_t> ReadUpTo(const OpenedFile& file, const std::string& path, char* buffer, std::size_t size) {
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t count = read(file.descriptor.get(), buffer + filled, size - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed("read", path, errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  return filled;
}

absl::Status CheckSize(const OpenedFile& file, const std::string& path, std::size_t most_bytes) {
  if (static_cast<std::size_t>(file.facts.st_size) <= most_bytes) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{} has {} bytes; at most {} are read", path, file.facts.st_size, most_bytes));
}

absl::Status WriteAll(const Descriptor& descriptor, const std::string& path, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = write(descriptor.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed("write", path, errno);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status FillTemporary(const Descriptor& descriptor, const std::string& path, std::string_view content,
                           mode_t mode) {
  RETURN_IF_ERROR(WriteAll(descriptor, path, content));
  if (fchmod(descriptor.get(), mode) != 0) return Failed("set the mode of", path, errno);
  if (fsync(descriptor.get()) != 0) return Failed("flush", path, errno);
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string directory = parent.empty() ? "." : parent.string();
  const Descriptor descriptor(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0 || fsync(descriptor.get()) != 0) return Failed("flush", directory, errno);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t most_bytes) {
  ASSIGN_OR_RETURN(const OpenedFile file, OpenRegular(path));
  RETURN_IF_ERROR(CheckSize(file, path, most_bytes));
  std::string content(static_cast<std::size_t>(file.facts.st_size), '\0');
  ASSIGN_OR_RETURN(const std::size_t filled, ReadUpTo(file, path, content.data(), content.size()));
  content.resize(filled);
  return content;
}

absl::StatusOr<Secret> ReadSecretFile(const std::string& path, std::size_t most_bytes) {
  ASSIGN_OR_RETURN(const OpenedFile file, OpenSecret(path));
  RETURN_IF_ERROR(CheckSize(file, path, most_bytes));
  Secret content = Secret::WithSize(static_cast<std::size_t>(file.facts.st_size));
  ASSIGN_OR_RETURN(const std::size_t filled, ReadUpTo(file, path, content.data(), content.size()));
  if (filled != content.size()) {
    return absl::FailedPreconditionError(fmt::format("{} changed while it was read", path));
  }
  return content;
}

absl::Status CheckSecretFile(const std::string& path) { return OpenSecret(path).status(); }

absl::Status WriteFileAtomically(const std::string& path, std::string_view content, mode_t mode) {
  std::string temporary = path + ".XXXXXX";
  const Descriptor descriptor(mkostemp(temporary.data(), O_CLOEXEC));
  if (descriptor.get() < 0) return Failed("write beside", path, errno);
  absl::Status status = FillTemporary(descriptor, temporary, content, mode);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) status = Failed("replace", path, errno);
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  return SyncDirectory(path);
}

}  // namespace lmbroker
