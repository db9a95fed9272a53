#include "service/base/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "service/base/status_macros.h"

namespace lmbroker {
namespace {

absl::Status Failed(std::string_view what) {
  const int error = errno;
  return absl::FailedPreconditionError(
      fmt::format("cannot {} a file in memory: {}", what, std::generic_category().message(error)));
}

absl::StatusOr<Descriptor> Make() {
  Descriptor descriptor(memfd_create("lmbroker", MFD_CLOEXEC));
  if (descriptor.get() < 0) return Failed("make");
  return descriptor;
}

absl::Status Fill(const Descriptor& file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = write(file.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed("write");
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MemoryFile> MemoryFile::Create() {
  ASSIGN_OR_RETURN(Descriptor descriptor, Make());
  return MemoryFile(std::move(descriptor));
}

MemoryFile::MemoryFile(Descriptor descriptor)
    : descriptor_(std::move(descriptor)), path_(fmt::format("/proc/self/fd/{}", descriptor_.get())) {}

absl::Status MemoryFile::Replace(std::string_view content) {
  ASSIGN_OR_RETURN(const Descriptor next, Make());
  RETURN_IF_ERROR(Fill(next, content));
  ++version_;
  const std::array<timespec, 2> times{timespec{.tv_sec = version_}, timespec{.tv_sec = version_}};
  if (futimens(next.get(), times.data()) != 0) return Failed("date");
  if (dup3(next.get(), descriptor_.get(), O_CLOEXEC) < 0) return Failed("replace");
  return absl::OkStatus();
}

}  // namespace lmbroker
