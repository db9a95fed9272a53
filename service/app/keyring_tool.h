#pragma once

// `lmbrokerd keyring …`: what is done to key ring files while nobody serves, or while somebody does, who then notices.

#include <cstdint>
#include <optional>
#include <string>

namespace lmbroker::app {

struct KeyringCommand {
  enum class Action { kInit, kAdd, kPromote, kRetire, kPurge, kList };

  Action action = Action::kList;
  std::string file;
  std::optional<std::uint32_t> version;  // promote: unset is the newest active; retire and purge: always set
  bool protect = false;                  // init: with a passphrase
  std::string passphrase_file;           // empty: standard input, where one is needed
};

// Does it, and prints what was done or, on standard error, why not. The exit code: 0 done, 1 not done.
int RunKeyring(const KeyringCommand& command);

}  // namespace lmbroker::app
