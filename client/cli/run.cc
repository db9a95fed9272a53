#include "client/cli/run.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <fmt/format.h>

#include "client/cli/report.h"
#include "client/cli/table.h"
#include "client/cli/values.h"

namespace lmbroker::cli {
namespace {

constexpr std::string_view kDescription =
    "Manages LogicMonitor API tokens and sends LogicMonitor API calls through a broker that keeps the keys.\n"
    "A name is a full resource name or its short form: acme/32/41 is portals/acme/admins/32/tokens/41.\n"
    "Exit status: 0 done, 1 refused, 2 wrong usage, 3 broker not reached.";

void AddGlobalOptions(CLI::App& app, CommandLine& line) {
  client::Options& options = line.connection;
  app.add_option("--address", options.address, "The broker, HOST:PORT")->envname("LMBROKER_ADDRESS")->required();
  app.add_option("--ca", options.ca, "File with the authorities of the broker's certificate")
      ->envname("LMBROKER_CA")
      ->required();
  app.add_option("--cert", options.cert, "File with your certificate")->envname("LMBROKER_CERT");
  app.add_option("--key", options.key, "File with its private key")->envname("LMBROKER_KEY");
  app.add_option("--token-file", options.token_file, "File with a JWT that says who you are")
      ->envname("LMBROKER_TOKEN_FILE");
  AddText(app, "--timeout", "How long a call may take (default: 30s)", [&options](const auto& text) {
    options.timeout = *ParseDuration(text);
  })->check(DurationArgument());
  const std::map<std::string, Output> outputs = {{"table", Output::kTable}, {"json", Output::kJson}};
  app.add_option("--output", line.output, "table for people (default), json for programs")
      ->transform(CLI::CheckedTransformer(outputs).description("table|json"));
}

// What CLI11 has to say, without arguments that were not expected: they may be secrets in the wrong place.
std::string UsageMessage(const CLI::App*, const CLI::Error& error) {
  const bool has_arguments = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  const std::string message = has_arguments ? "There are arguments that this command does not know" : error.what();
  return fmt::format("{}.\nRun with --help for more information.\n", Printable(message));
}

void AddCommands(CLI::App& app, CommandLine& line, Io& io) {
  app.fallthrough();  // global options may stand behind the command
  app.require_subcommand(1);
  app.set_version_flag("--version", "lmbroker " LMBROKER_VERSION);
  app.failure_message(UsageMessage);
  AddGlobalOptions(app, line);
  AddTokenCommands(app, line);
  AddCredentialCommands(app, line, io);
  AddForwardCommand(app, line, io);
  AddExplainCommands(app, line);
  AddStatusCommand(app, line);
}

}  // namespace

ExitCode Run(int argc, const char* const* argv, Io& io) {
  CommandLine line;
  CLI::App app{std::string(kDescription), "lmbroker"};
  try {
    AddCommands(app, line, io);
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, io.out, io.err) == 0 ? kDone : kUsage;  // 0: --help, --version
  }
  const absl::StatusOr<std::unique_ptr<client::Connection>> broker = client::Connection::Create(line.connection);
  if (!broker.ok()) {
    io.err << Printable(std::string(broker.status().message())) << '\n';
    return kUsage;
  }
  Session session{.broker = **broker, .output = line.output, .io = io};
  const absl::Status done = line.action(session);
  return done.ok() ? kDone : Report(done, io.err);
}

}  // namespace lmbroker::cli
