#include <memory>
#include <string>
#include <utility>

#include <absl/status/statusor.h>

#include "client/cli/command.h"
#include "client/cli/input.h"

namespace lmbroker::cli {

void AddPolicyCommands(CLI::App& app, CommandLine& line, Io& io) {
  using Stub = v1::PolicyService::Stub;
  CLI::App& policy = *app.add_subcommand("policy", "The policy of the broker (operators)");
  policy.require_subcommand(1);
  CLI::App& diff = *policy.add_subcommand("diff", "What another policy file would newly allow and refuse");
  const auto file = std::make_shared<std::string>();
  diff.add_option("FILE", *file, "The policy file; - for standard input")->required();
  diff.callback([&line, &io, file] {
    absl::StatusOr<std::string> text = ReadBody(*file, io);
    if (!text.ok()) throw CLI::ValidationError(std::string(text.status().message()));
    const auto request = std::make_shared<v1::DiffPolicyRequest>();
    request->set_policy_yaml(*std::move(text));
    line.action = CallAndShow<Stub, v1::DiffPolicyRequest, v1::DiffPolicyResponse>(&Stub::DiffPolicy, request);
  });
}

}  // namespace lmbroker::cli
