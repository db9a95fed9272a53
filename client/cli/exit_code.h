#pragma once

namespace lmbroker::cli {

// What the process says to its caller.
enum ExitCode : int {
  kDone = 0,
  kRefused = 1,     // the broker refused, or the call failed in it
  kUsage = 2,       // the command line, its files or its input are wrong; the broker was not called
  kNotReached = 3,  // there was no connection to the broker
};

}  // namespace lmbroker::cli
