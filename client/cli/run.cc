#include "client/cli/run.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <fmt/format.h>

#include "client/cli/report.h"
#include "client/cli/table.h"
#include "client/cli/values.h"
#include "service/base/quantity.h"

namespace lmbroker::cli {
namespace {

constexpr std::string_view kDescription =
    "Manages LogicMonitor API tokens and sends LogicMonitor API calls through a broker that keeps the keys.\n"
    "A name is a full resource name or its short form: acme/32/41 is portals/acme/admins/32/tokens/41.\n"
    "Exit status: 0 done, 1 refused, 2 wrong usage, 3 broker not reached.";

void AddGlobalOptions(CLI::App& app, CommandLine& line) {
  client::Options& options = line.connection;
  app.add_option("--address", options.address, "The broker")->envname("LMBROKER_ADDRESS")->type_name("HOST:PORT");
  app.add_option("--ca", options.ca, "The authorities of the broker's certificate")
      ->envname("LMBROKER_CA")
      ->type_name("FILE");
  app.add_option("--cert", options.cert, "Your certificate")->envname("LMBROKER_CERT")->type_name("FILE");
  app.add_option("--key", options.key, "Its private key")->envname("LMBROKER_KEY")->type_name("FILE");
  app.add_option("--token-file", options.token_file, "A JWT that says who you are")
      ->envname("LMBROKER_TOKEN_FILE")
      ->type_name("FILE");
  AddText(app, "--timeout", "How long a call may take (default: 30s)", [&options](const auto& text) {
    options.timeout = *ParseDuration(text);
  })->check(DurationArgument());
  const auto check = [](std::string& text) { return text == "table" || text == "json" ? "" : "must be table or json"; };
  AddText(app, "--output", "For people (default) or for programs", [&line](const auto& text) {
    line.output = text == "json" ? Output::kJson : Output::kTable;
  })->check(CLI::Validator(check, "table|json"));
}

// CLI11's help, where a type is the form of a value alone, and arguments have none: their names say it.
class Help : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_lnames().empty() && option->get_snames().empty()) return "";
    std::string text = CLI::Formatter::make_option_opts(option);
    const std::string_view type = " TEXT:";
    if (text.starts_with(type)) text.replace(0, type.size(), " ");
    return text;
  }
};

// What CLI11 has to say, without arguments that were not expected: they may be secrets in the wrong place.
std::string UsageMessage(const CLI::App*, const CLI::Error& error) {
  std::string message = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)
    message = "There are too many arguments, or options that the command does not know";
  if (message == CLI::RequiredError::Subcommand(1).what()) message = "The command is missing or unknown";
  return fmt::format("{}.\nRun with --help for more information.\n", Printable(message));
}

void AddCommands(CLI::App& app, CommandLine& line, Io& io) {
  app.formatter(std::make_shared<Help>());
  app.fallthrough();  // global options may stand behind the command
  app.require_subcommand(1);
  app.set_version_flag("--version", "lmbroker " LMBROKER_VERSION);
  app.failure_message(UsageMessage);
  AddGlobalOptions(app, line);
  AddTokenCommands(app, line);
  AddCredentialCommands(app, line, io);
  AddForwardCommand(app, line, io);
  AddExplainCommands(app, line);
  AddPolicyCommands(app, line, io);
  AddStatusCommand(app, line);
  AddSealCommands(app, line, io);
  AddLeaseCommands(app, line);
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
  absl::Status done = line.action(session);
  if (done.ok() && !io.out.flush()) done = absl::DataLossError("The call is done, but its reply could not be written.");
  return done.ok() ? kDone : Report(done, io.err);
}

}  // namespace lmbroker::cli
