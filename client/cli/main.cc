#include <cstdlib>
#include <iostream>

#include <grpc/support/log.h>

#include "client/cli/run.h"

int main(int argc, char** argv) {
  // What a person needs to know of a failed connection is in the refusal; gRPC's own lines only repeat it.
  // NOLINTNEXTLINE(concurrency-mt-unsafe): there is no other thread yet
  if (std::getenv("GRPC_VERBOSITY") == nullptr) gpr_set_log_function([](gpr_log_func_args*) {});
  lmbroker::cli::Io io{.in = std::cin, .out = std::cout, .err = std::cerr};
  return lmbroker::cli::Run(argc, argv, io);
}
