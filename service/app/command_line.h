#pragma once

#include <string>
#include <variant>

#include "service/app/audit_tool.h"
#include "service/app/keyring_tool.h"
#include "service/app/store_tool.h"

namespace lmbroker::app {

// `lmbrokerd --config FILE [--check]`
struct ServeCommand {
  std::string config;
  bool check_only = false;
};
// The command line was answered already (--help, --version) or is no command (then the code is 2).
struct NothingToDo {
  int exit_code = 0;
};

using Command = std::variant<NothingToDo, ServeCommand, KeyringCommand, AuditCommand, BackupCommand, RestoreCommand>;

// Reads the command line; prints help, version or what is wrong with it.
Command ParseCommandLine(int argc, const char* const* argv);

}  // namespace lmbroker::app
