// lmbrokerd: command line → configuration → App::Start → wait for a signal → drain.

#include <cstdio>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "service/app/app.h"
#include "service/app/audit_tool.h"
#include "service/app/command_line.h"
#include "service/app/config.h"
#include "service/app/keyring_tool.h"
#include "service/app/signals.h"
#include "service/app/store_tool.h"
#include "service/base/hardening.h"
#include "service/base/secret.h"

namespace lmbroker::app {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kBadConfiguration = 2;
// For a few thousand keys, and those of the calls in flight.
// A credential of LMv1 takes 2 KiB, with the forms in which a reply could give its key back.
constexpr std::size_t kMostSecureHeap = 16 << 20;
constexpr std::size_t kLeastSecureHeap = 4 << 20;

int Fail(const absl::Status& status, int code) {
  fmt::print(stderr, "lmbrokerd: {}\n", std::string(status.message()));
  return code;
}

int Run(const NothingToDo& nothing) { return nothing.exit_code; }

int Run(const KeyringCommand& command) { return RunKeyring(command); }

int Run(const BackupCommand& command) { return RunBackup(command); }

int Run(const RestoreCommand& command) { return RunRestore(command); }

int Run(const AuditCommand& command) { return RunAudit(command); }

int Run(const ServeCommand& command) {
  Issues issues(command.config);
  auto config = LoadConfig(command.config, issues);
  if (!config.has_value()) {
    for (const Issue& issue : issues.all()) fmt::print(stderr, "{}\n", issue.ToString());
    return kBadConfiguration;
  }
  if (command.check_only) {
    fmt::print("{}: good\n", command.config);
    return kDone;
  }
  if (const absl::Status heap = OpenSecureHeap(kMostSecureHeap, kLeastSecureHeap); !heap.ok())
    return Fail(heap, kFailed);
  auto app = App::Start(*std::move(config));
  if (!app.ok()) return Fail(app.status(), kFailed);
  while (WaitForSignal() == Signal::kReload) (*app)->Reload();
  (*app)->Drain();
  return kDone;
}

}  // namespace
}  // namespace lmbroker::app

// NOLINTNEXTLINE(bugprone-exception-escape): only without memory, and then there is nothing left to do
int main(int argc, char** argv) {
  lmbroker::app::BlockSignals();
  if (const absl::Status hardened = lmbroker::HardenProcess(); !hardened.ok()) {
    return lmbroker::app::Fail(hardened, lmbroker::app::kFailed);
  }
  const lmbroker::app::Command command = lmbroker::app::ParseCommandLine(argc, argv);
  return std::visit([](const auto& each) { return lmbroker::app::Run(each); }, command);
}
