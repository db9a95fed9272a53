#include "service/crypto/key_ring_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "service/base/descriptor.h"
#include "service/base/file.h"
#include "service/base/status_macros.h"
#include "service/base/text.h"
#include "service/crypto/key_ring_text.h"
#include "service/crypto/private_file.h"
#include "service/crypto/protected_ring_text.h"

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

absl::Status Problem(const std::string& path, std::string_view problem) {
  return absl::FailedPreconditionError(fmt::format("{}: {}", path, problem));
}

absl::StatusOr<Secret> TryReadText(const std::string& path) {
  RETURN_IF_ERROR(CheckPrivateFile(path));
  absl::StatusOr<Secret> text = ReadSecretFile(path, kMostFileBytes);
  if (!text.ok()) return absl::FailedPreconditionError(text.status().message());
  return text;
}

// Kubernetes swaps a link and then removes what it pointed to: who was on the way there finds nothing, and looks again.
absl::StatusOr<Secret> ReadText(const std::string& path) {
  constexpr int kTries = 5;
  absl::StatusOr<Secret> text = TryReadText(path);
  for (int tries = 1; !text.ok() && tries < kTries; ++tries) text = TryReadText(path);
  return text;
}

absl::StatusOr<RingContent> Parse(const std::string& path, std::string_view text) {
  absl::StatusOr<RingContent> ring = ParseKeyRing(text);
  if (!ring.ok()) return Problem(path, ToStd(ring.status().message()));
  return ring;
}

absl::StatusOr<ProtectedRing> ParseProtected(const std::string& path, std::string_view text) {
  absl::StatusOr<ProtectedRing> ring = ParseProtectedRing(text);
  if (!ring.ok()) return Problem(path, ToStd(ring.status().message()));
  return ring;
}

absl::StatusOr<RingLock> LockOf(const ProtectedRing& ring, AskPassphrase ask, const RingLock* known) {
  if (known != nullptr && known->parameters() == ring.parameters) return known->Duplicate();
  ASSIGN_OR_RETURN(const Secret passphrase, ask());
  return RingLock::Derive(passphrase, ring.parameters);
}

Secret TextOf(const RingContent& ring, const RingLock* lock, Random& random) {
  Secret text = FormatKeyRing(ring);
  if (lock == nullptr) return text;
  return Secret(FormatProtectedRing({.parameters = lock->parameters(), .sealed = lock->Seal(text, random)}));
}

}  // namespace

absl::StatusOr<OpenedRing> OpenKeyRingFile(const std::string& path, AskPassphrase ask, const RingLock* known) {
  ASSIGN_OR_RETURN(const Secret text, ReadText(path));
  if (!IsProtectedRing(text.Reveal())) {
    ASSIGN_OR_RETURN(RingContent content, Parse(path, text.Reveal()));
    return OpenedRing{.content = std::move(content), .lock = std::nullopt};
  }
  ASSIGN_OR_RETURN(const ProtectedRing ring, ParseProtected(path, text.Reveal()));
  ASSIGN_OR_RETURN(RingLock lock, LockOf(ring, ask, known));
  const std::optional<Secret> opened = lock.Open(ring.sealed);
  if (!opened.has_value()) {
    return absl::InvalidArgumentError(
        fmt::format("{}: does not open: the passphrase is wrong, or the file was changed", path));
  }
  ASSIGN_OR_RETURN(RingContent content, Parse(path, opened->Reveal()));
  return OpenedRing{.content = std::move(content), .lock = std::move(lock)};
}

absl::Status CheckKeyRingFile(const std::string& path) {
  ASSIGN_OR_RETURN(const Secret text, ReadText(path));
  if (IsProtectedRing(text.Reveal())) return ParseProtected(path, text.Reveal()).status();
  return Parse(path, text.Reveal()).status();
}

absl::Status CreateKeyRingFile(const std::string& path, const RingContent& ring, const RingLock* lock, Random& random) {
  return CreatePrivateFile(path, TextOf(ring, lock, random).Reveal());
}

absl::Status ChangeKeyRingFile(const std::string& path, AskPassphrase ask, Random& random,
                               absl::FunctionRef<absl::Status(RingContent&)> change) {
  ASSIGN_OR_RETURN(const std::string file, FileBehind(path));
  ASSIGN_OR_RETURN(const Descriptor directory, LockDirectoryOf(file));
  ASSIGN_OR_RETURN(OpenedRing ring, OpenKeyRingFile(file, ask));
  RETURN_IF_ERROR(change(ring.content));
  const RingLock* const lock = ring.lock.has_value() ? &*ring.lock : nullptr;
  return WriteFileAtomically(file, TextOf(ring.content, lock, random).Reveal(), kPrivate);
}

}  // namespace lmbroker::crypto
