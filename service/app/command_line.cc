#include "service/app/command_line.h"

#include <CLI/CLI.hpp>

namespace lmbroker::app {
namespace {

constexpr int kUsage = 2;
constexpr const char* kFooter =
    "Signals: SIGTERM ends it after the calls in flight; SIGHUP reads the policy again (it is also read when it "
    "changes).\nExit: 0 done, 1 could not serve, 2 usage or a bad configuration.";

// `keyring` and its actions. The one that is given puts itself and its arguments into `command`.
void AddKeyring(CLI::App& cli, KeyringCommand& command) {
  CLI::App& keyring = *cli.add_subcommand("keyring", "The file with the keys that seal every secret");
  keyring.require_subcommand(1);
  using Action = KeyringCommand::Action;
  const auto add = [&](const char* name, Action action, const char* what) -> CLI::App& {
    CLI::App& each = *keyring.add_subcommand(name, what);
    each.add_option("FILE", command.file, "The key ring")->required();
    each.callback([&command, action] { command.action = action; });
    return each;
  };
  const auto add_version = [&](CLI::App& each, const char* what) {
    return each.add_option("VERSION", command.version, what)->check(CLI::PositiveNumber);
  };
  add("init", Action::kInit, "Make a ring with one new key; never overwrites, and its mode is 0600");
  add("add", Action::kAdd, "Add a new key, which opens and does not seal until it is promoted");
  add_version(add("promote", Action::kPromote, "Make a key the one that seals; the former one goes on to open"),
              "Which; the newest active one when it is left out");
  add_version(add("retire", Action::kRetire, "Mark a key that is to open nothing any more"), "Which")->required();
  add_version(add("purge", Action::kPurge, "Delete a retired key for good"), "Which")->required();
  add("list", Action::kList, "Show the versions and their states, no keys");
}

// `backup` and `restore`.
void AddStore(CLI::App& cli, BackupCommand& backup, RestoreCommand& restore) {
  CLI::App& out = *cli.add_subcommand("backup", "Copy the store, sealed as it is, also while the broker serves");
  out.add_option("--config", backup.config, "The configuration file of the broker")->type_name("FILE")->required();
  out.add_option("OUT", backup.out, "The new file; never overwritten, and its mode is 0600")->required();
  CLI::App& in =
      *cli.add_subcommand("restore", "Put a backup in the place of the store, when no broker serves from it");
  in.add_option("--config", restore.config, "The configuration file of the broker")->type_name("FILE")->required();
  in.add_option("BACKUP", restore.backup,
                "What to restore: it is verified first, and the present database is renamed, not deleted")
      ->required();
}

// `audit` and its actions, likewise.
void AddAudit(CLI::App& cli, AuditCommand& command) {
  CLI::App& audit = *cli.add_subcommand("audit", "What the audit files are worth");
  audit.require_subcommand(1);
  using Action = AuditCommand::Action;
  CLI::App& verify = *audit.add_subcommand(
      "verify",
      "Check that nothing in audit files was changed, left out, added or moved. Exit: 0 intact, 1 damaged, 2 "
      "unreadable");
  verify.add_option("FILE", command.files, "The files in their order, the oldest first")->required();
  verify
      .add_option("--head", command.head, "The head file, or a checkpoint kept elsewhere: up to it nothing is missing")
      ->type_name("FILE");
  verify.add_option("--key", command.key, "The broker's public key (PEM): its checkpoints are checked, too")
      ->type_name("FILE");
  verify.callback([&command] { command.action = Action::kVerify; });
  CLI::App& key = *audit.add_subcommand("key", "Print the public key with which checkpoints are checked (PEM)");
  key.add_option("FILE", command.keyring, "The key ring")->required();
  key.callback([&command] { command.action = Action::kKey; });
}

}  // namespace

Command ParseCommandLine(int argc, const char* const* argv) {
  CLI::App cli("lmbrokerd, the credential broker for LogicMonitor: serves, as its configuration file says.",
               "lmbrokerd");
  cli.set_version_flag("--version", std::string("lmbrokerd ") + LMBROKER_VERSION);
  cli.footer(kFooter);
  ServeCommand serve;
  cli.add_option("--config", serve.config, "The configuration file (YAML); the README shows one")->type_name("FILE");
  cli.add_flag("--check", serve.check_only, "Print every problem of the configuration and exit: 0 when it would serve");

  KeyringCommand keyring;
  AddKeyring(cli, keyring);
  BackupCommand backup;
  RestoreCommand restore;
  AddStore(cli, backup, restore);
  AuditCommand audit;
  AddAudit(cli, audit);

  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return NothingToDo{cli.exit(error) == 0 ? 0 : kUsage};
  }
  if (cli.got_subcommand("keyring")) return keyring;
  if (cli.got_subcommand("backup")) return backup;
  if (cli.got_subcommand("restore")) return restore;
  if (cli.got_subcommand("audit")) return audit;
  if (serve.config.empty()) {
    std::cerr << "lmbrokerd: --config FILE is missing; see --help\n";
    return NothingToDo{kUsage};
  }
  return serve;
}

}  // namespace lmbroker::app
