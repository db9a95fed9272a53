#pragma once

// `lmbrokerd backup …` and `lmbrokerd restore …`: copies of the store that a configuration names.

#include <string>

namespace lmbroker::app {

// `lmbrokerd backup --config FILE OUT`: also while a broker serves.
struct BackupCommand {
  std::string config;
  std::string out;
};
// `lmbrokerd restore --config FILE BACKUP`: only when none does.
struct RestoreCommand {
  std::string config;
  std::string backup;
};

// Each does it, and prints what was done or, on standard error, why not. The exit code: 0 done, 1 not done, 2 a bad
// configuration.
int RunBackup(const BackupCommand& command);
int RunRestore(const RestoreCommand& command);

}  // namespace lmbroker::app
