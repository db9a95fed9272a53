#include <memory>

#include "client/cli/command.h"

namespace lmbroker::cli {

void AddStatusCommand(CLI::App& app, CommandLine& line) {
  using Stub = v1::OperatorService::Stub;
  app.add_subcommand("status", "How the broker is doing (operators)")->callback([&line] {
    line.action = CallAndShow<Stub, v1::GetStatusRequest, v1::GetStatusResponse>(
        &Stub::GetStatus, std::make_shared<v1::GetStatusRequest>());
  });
}

}  // namespace lmbroker::cli
