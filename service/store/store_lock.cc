#include "service/store/store_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <system_error>

#include <absl/time/clock.h>
#include <fmt/format.h>

namespace lmbroker::store {
namespace {

constexpr absl::Duration kAsk = absl::Milliseconds(20);

absl::Status Failed(const std::string& path, std::string_view what, int error) {
  return absl::FailedPreconditionError(
      fmt::format("{}: cannot {}: {}", path, what, std::generic_category().message(error)));
}

}  // namespace

absl::StatusOr<StoreLock> StoreLock::Take(const std::string& database, absl::Duration wait) {
  const std::string path = database + ".lock";
  Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return Failed(path, "open it", errno);
  const absl::Time until = absl::Now() + wait;
  while (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return Failed(path, "lock it", errno);
    if (absl::Now() >= until) {
      return absl::FailedPreconditionError(
          fmt::format("{}: is locked by another lmbrokerd that has it open; stop that one first", database));
    }
    absl::SleepFor(kAsk);
  }
  return StoreLock(std::move(file));
}

}  // namespace lmbroker::store
