#include "service/crypto/key_ring_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "service/base/descriptor.h"
#include "service/base/file.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/crypto/key_ring_text.h"
#include "service/crypto/private_file.h"

namespace lmbroker::crypto {
namespace {

constexpr std::size_t kMostFileBytes = 65536;
constexpr mode_t kPrivate = 0600;

// The file that `path` leads to, so that a change replaces it and not a link to it.
absl::StatusOr<std::string> FileBehind(const std::string& path) {
  std::error_code error;
  const std::filesystem::path file = std::filesystem::canonical(path, error);
  if (error) return absl::FailedPreconditionError(fmt::format("{}: {}", path, error.message()));
  return file.string();
}

// Keeps others who change rings from the directory, as long as it is open. Its lock ends with the process, however that
// ends.
absl::StatusOr<Descriptor> LockDirectoryOf(const std::string& file) {
  const std::string directory = std::filesystem::path(file).parent_path().string();
  Descriptor descriptor(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0 || flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{}: cannot be locked; another change of a key ring in it may be under way, try again", directory));
  }
  return descriptor;
}

}  // namespace

absl::StatusOr<RingContent> ReadKeyRingFile(const std::string& path) {
  RETURN_IF_ERROR(CheckPrivateFile(path));
  const absl::StatusOr<Secret> text = ReadSecretFile(path, kMostFileBytes);
  if (!text.ok()) return absl::FailedPreconditionError(text.status().message());
  absl::StatusOr<RingContent> ring = ParseKeyRing(text->Reveal());
  if (!ring.ok()) {
    return absl::FailedPreconditionError(fmt::format("{}: {}", path, ToStd(ring.status().message())));
  }
  return ring;
}

absl::Status CreateKeyRingFile(const std::string& path, const RingContent& ring) {
  return CreatePrivateFile(path, FormatKeyRing(ring).Reveal());
}

absl::Status ChangeKeyRingFile(const std::string& path, absl::FunctionRef<absl::Status(RingContent&)> change) {
  ASSIGN_OR_RETURN(const std::string file, FileBehind(path));
  ASSIGN_OR_RETURN(const Descriptor lock, LockDirectoryOf(file));
  ASSIGN_OR_RETURN(RingContent ring, ReadKeyRingFile(file));
  RETURN_IF_ERROR(change(ring));
  return WriteFileAtomically(file, FormatKeyRing(ring).Reveal(), kPrivate);
}

}  // namespace lmbroker::crypto
