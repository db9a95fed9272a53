#include "service/base/hardening.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include <gtest/gtest.h>

namespace lmbroker {
namespace {

// 0, or the number of the first expectation that does not hold. Runs in a child: hardening cannot be undone.
int CheckHardened() {
  if (!HardenProcess().ok()) return 1;
  rlimit core{};
  if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 || core.rlim_max != 0) return 2;
  if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) return 3;
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return 4;
  if (std::raise(SIGPIPE) != 0 || std::raise(SIGXFSZ) != 0) return 5;  // would end us
  if (!HardenProcess().ok()) return 6;                                 // once more does no harm
  return 0;
}

TEST(HardeningTest, ProcessLeavesNoCoreAndGainsNoPrivileges) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(CheckHardened());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(HardeningTest, FilesAreLimitedByTheSystemAlone) {
  const std::size_t files = RaiseFileLimit();
  rlimit now{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &now), 0);
  EXPECT_EQ(now.rlim_cur, now.rlim_max);
  EXPECT_EQ(files, now.rlim_cur);
}

}  // namespace
}  // namespace lmbroker
