#include "service/app/command_line.h"

#include <CLI/CLI.hpp>

namespace lmbroker::app {
namespace {

constexpr int kUsage = 2;
constexpr const char* kFooter =
    "Signals: SIGTERM ends it after the calls in flight; SIGHUP reads the policy again (it is also read when it "
    "changes).\nExit: 0 done, 1 could not serve, 2 usage or a bad configuration.";

}  // namespace

Command ParseCommandLine(int argc, const char* const* argv) {
  CLI::App cli("lmbrokerd, the credential broker for LogicMonitor: serves, as its configuration file says.",
               "lmbrokerd");
  cli.set_version_flag("--version", std::string("lmbrokerd ") + LMBROKER_VERSION);
  cli.footer(kFooter);
  ServeCommand serve;
  cli.add_option("--config", serve.config, "The configuration file (YAML); the README shows one")->type_name("FILE");
  cli.add_flag("--check", serve.check_only, "Print every problem of the configuration and exit: 0 when it would serve");

  CLI::App& keyring = *cli.add_subcommand("keyring", "Offline: the file with the keys that seal every secret");
  keyring.require_subcommand(1);
  std::string file;
  CLI::App& init = *keyring.add_subcommand("init", "Make a key ring with one new key; never overwrites");
  init.add_option("FILE", file, "Where to put it; its mode will be 0600")->required();
  CLI::App& list = *keyring.add_subcommand("list", "Show the versions of a key ring and their states, no keys");
  list.add_option("FILE", file, "The key ring")->required();

  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return NothingToDo{cli.exit(error) == 0 ? 0 : kUsage};
  }
  if (init.parsed()) return KeyringInitCommand{file};
  if (list.parsed()) return KeyringListCommand{file};
  if (serve.config.empty()) {
    std::cerr << "lmbrokerd: --config FILE is missing; see --help\n";
    return NothingToDo{kUsage};
  }
  return serve;
}

}  // namespace lmbroker::app
