#include "service/base/hardening.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "service/base/status_macros.h"

namespace lmbroker {
namespace {

absl::Status Failed(std::string_view what) {
  return absl::FailedPreconditionError(
      fmt::format("cannot harden the process: {}: {}", what, std::generic_category().message(errno)));
}

absl::Status ForbidCoreFiles() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return Failed("core file limit");
  rlimit now{};
  if (getrlimit(RLIMIT_CORE, &now) != 0 || now.rlim_cur != 0 || now.rlim_max != 0) return Failed("core file limit");
  return absl::OkStatus();
}

absl::Status ForbidDumps() {
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return Failed("PR_SET_DUMPABLE");
  if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) return Failed("PR_GET_DUMPABLE");
  return absl::OkStatus();
}

absl::Status ForbidNewPrivileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Failed("PR_SET_NO_NEW_PRIVS");
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return Failed("PR_GET_NO_NEW_PRIVS");
  return absl::OkStatus();
}

absl::Status Ignore(int number, std::string_view name) {
  return std::signal(number, SIG_IGN) == SIG_ERR ? Failed(name) : absl::OkStatus();
}

}  // namespace

absl::Status HardenProcess() {
  RETURN_IF_ERROR(ForbidCoreFiles());
  RETURN_IF_ERROR(ForbidDumps());
  RETURN_IF_ERROR(ForbidNewPrivileges());
  RETURN_IF_ERROR(Ignore(SIGPIPE, "SIGPIPE"));
  return Ignore(SIGXFSZ, "SIGXFSZ");
}

std::size_t RaiseFileLimit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 0;
  rlimit most = files;
  most.rlim_cur = files.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &most) == 0 ? most.rlim_cur : files.rlim_cur;
}

}  // namespace lmbroker
