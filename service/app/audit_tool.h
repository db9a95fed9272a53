#pragma once

// `lmbrokerd audit …`: what anyone can do with audit files, offline.

#include <string>
#include <vector>

namespace lmbroker::app {

struct AuditCommand {
  enum class Action { kVerify, kKey };

  Action action = Action::kVerify;
  std::vector<std::string> files;  // verify: in their order, the oldest first
  std::string head;                // verify: the head file; empty: none
  std::string key;                 // verify: the broker's public key; empty: signatures are not checked
  std::string keyring;             // key
};

// Does it, and prints what was found. The exit code of verify: 0 intact, 1 damaged, 2 something cannot be read; of key:
// 0 printed, 1 not.
int RunAudit(const AuditCommand& command);

}  // namespace lmbroker::app
