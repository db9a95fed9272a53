#pragma once

#include <cstddef>

#include <absl/status/status.h>

namespace lmbroker {

// Makes the process one that keeps keys: no core file, not dumpable (so that no other process of the same user can
// read its memory or trace it), no new privileges for it and its children. Also lets a closed pipe and a full file
// quota be errors of the call that meets them, not the end of the process. Each setting is read back; the first that
// did not hold is the error. Call once, in main, before threads.
absl::Status HardenProcess();

// Lets the process have as many files and sockets open as the system allows it to ask for. How many that are now.
std::size_t RaiseFileLimit();

}  // namespace lmbroker
