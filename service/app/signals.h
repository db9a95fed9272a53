#pragma once

namespace lmbroker::app {

// Signals are waited for, not handled: an ordinary thread does an ordinary shutdown.
enum class Signal { kReload, kStop };

// Blocks SIGHUP, SIGINT and SIGTERM for this thread and all that it starts. Call first in main, before any thread
// exists.
void BlockSignals();

// Waits for the next one: SIGHUP is kReload, SIGINT and SIGTERM are kStop.
Signal WaitForSignal();

}  // namespace lmbroker::app
