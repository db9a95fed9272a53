#pragma once

#include "client/cli/command.h"
#include "client/cli/exit_code.h"

namespace lmbroker::cli {

// The command-line tool: parses, connects, makes the call, shows the reply or the refusal.
ExitCode Run(int argc, const char* const* argv, Io& io);

}  // namespace lmbroker::cli
