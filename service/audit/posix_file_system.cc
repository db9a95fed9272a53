#include "service/audit/posix_file_system.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "service/base/descriptor.h"
#include "service/base/status_macros.h"

namespace lmbroker::audit {
namespace {

absl::Status Failed(std::string_view what, const std::string& path, int error) {
  const std::string message = fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EEXIST:
      return absl::AlreadyExistsError(message);
    default:
      return absl::UnavailableError(message);
  }
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor descriptor, FileId id, std::string path)
      : descriptor_(std::move(descriptor)), id_(id), path_(std::move(path)) {}

  FileId Id() const override { return id_; }

  absl::StatusOr<std::uint64_t> Size() const override {
    struct stat facts{};
    if (fstat(descriptor_.get(), &facts) != 0) return Failed("examine", path_, errno);
    return static_cast<std::uint64_t>(facts.st_size);
  }

  absl::StatusOr<std::size_t> Append(std::string_view data) override {
    while (true) {
      const ssize_t count = write(descriptor_.get(), data.data(), data.size());
      if (count > 0) return static_cast<std::size_t>(count);
      if (count == 0) return Failed("write", path_, ENOSPC);
      if (errno != EINTR) return Failed("write", path_, errno);
    }
  }

  absl::Status Sync() override {
    return fdatasync(descriptor_.get()) == 0 ? absl::OkStatus() : Failed("flush", path_, errno);
  }

  absl::Status Truncate(std::uint64_t size) override {
    return ftruncate(descriptor_.get(), static_cast<off_t>(size)) == 0 ? absl::OkStatus()
                                                                       : Failed("truncate", path_, errno);
  }

 private:
  const Descriptor descriptor_;
  const FileId id_;
  const std::string path_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<File>> PosixFileSystem::OpenForAppend(const std::string& path) {
  // O_NONBLOCK: a pipe in place of the file must not hang us.
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW;
  Descriptor descriptor(open(path.c_str(), kFlags, S_IRUSR | S_IWUSR));
  if (descriptor.get() < 0) return Failed("open", path, errno);
  struct stat facts{};
  if (fstat(descriptor.get(), &facts) != 0) return Failed("examine", path, errno);
  if (!S_ISREG(facts.st_mode)) return absl::FailedPreconditionError(fmt::format("{} is no regular file", path));
  if (flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failed("lock", path, errno);
    return absl::FailedPreconditionError(fmt::format("{} is in use by another process", path));
  }
  return std::make_unique<PosixFile>(std::move(descriptor), FileId{facts.st_dev, facts.st_ino}, path);
}

absl::StatusOr<FileId> PosixFileSystem::Identify(const std::string& path) const {
  struct stat facts{};
  if (lstat(path.c_str(), &facts) != 0) return Failed("examine", path, errno);
  return FileId{facts.st_dev, facts.st_ino};
}

absl::StatusOr<std::uint64_t> PosixFileSystem::SizeOf(const std::string& path) const {
  struct stat facts{};
  if (stat(path.c_str(), &facts) != 0) return Failed("examine", path, errno);
  return static_cast<std::uint64_t>(facts.st_size);
}

absl::StatusOr<std::string> PosixFileSystem::Read(const std::string& path, std::uint64_t offset,
                                                  std::size_t most_bytes) const {
  const Descriptor descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) return Failed("open", path, errno);
  std::string data(most_bytes, '\0');
  std::size_t filled = 0;
  while (filled < data.size()) {
    const ssize_t count =
        pread(descriptor.get(), data.data() + filled, data.size() - filled, static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed("read", path, errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  data.resize(filled);
  return data;
}

absl::Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  return renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0
             ? absl::OkStatus()
             : Failed("rename to", to, errno);
}

absl::StatusOr<std::vector<std::string>> PosixFileSystem::List(const std::string& directory) const {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) return Failed("list", directory, error.value());
  return names;
}

absl::Status PosixFileSystem::SyncDirectory(const std::string& directory) {
  const Descriptor descriptor(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0 || fsync(descriptor.get()) != 0) return Failed("flush", directory, errno);
  return absl::OkStatus();
}

}  // namespace lmbroker::audit
