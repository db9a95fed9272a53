#include "service/app/store_tool.h"

#include <cstdio>
#include <optional>
#include <utility>

#include <absl/status/status.h>
#include <absl/time/time.h>
#include <fmt/format.h>

#include "service/app/config.h"
#include "service/app/keyring_config.h"
#include "service/app/passphrase.h"
#include "service/base/clock.h"
#include "service/base/issues.h"
#include "service/base/random.h"
#include "service/base/secret.h"
#include "service/base/status_macros.h"
#include "service/crypto/envelope.h"
#include "service/crypto/key_source.h"
#include "service/store/backup.h"
#include "service/store/restore.h"

namespace lmbroker::app {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kBadConfiguration = 2;
constexpr absl::Duration kWait = absl::Seconds(5);
constexpr std::size_t kSecureHeapBytes = std::size_t{4} << 20;

int Fail(const absl::Status& status) {
  fmt::print(stderr, "lmbrokerd: {}\n", std::string(status.message()));
  return kFailed;
}

// Prints every problem when there is any.
std::optional<Config> Load(const std::string& file) {
  Issues issues(file);
  std::optional<Config> config = LoadConfig(file, issues);
  for (const Issue& issue : issues.all()) fmt::print(stderr, "{}\n", issue.ToString());
  return config;
}

// Asks for the passphrase only of a ring that has one.
absl::StatusOr<crypto::KeySource::Keys> OpenKeys(crypto::KeySource& source, const std::string& passphrase_file) {
  absl::StatusOr<crypto::KeySource::Keys> keys = source.Open(Secret());
  if (!absl::IsInvalidArgument(keys.status())) return keys;
  ASSIGN_OR_RETURN(const Secret passphrase, ReadPassphrase(passphrase_file, false));
  return source.Open(passphrase);
}

absl::StatusOr<store::Restored> Restore(const Config& config, const RestoreCommand& command) {
  RETURN_IF_ERROR(OpenSecureHeap(kSecureHeapBytes, kSecureHeapBytes));
  SystemRandom random;
  const SystemClock clock;
  const auto source = MakeKeySource(config.keyring, clock, random);
  ASSIGN_OR_RETURN(const crypto::KeySource::Keys keys, OpenKeys(*source, command.passphrase_file));
  const crypto::Envelope envelope(*keys.wrapper, random);
  return store::Restore(
      {.backup = command.backup, .path = config.store, .counter = config.store_counter, .now = clock.Now()}, envelope,
      random);
}

}  // namespace

int RunBackup(const BackupCommand& command) {
  const std::optional<Config> config = Load(command.config);
  if (!config.has_value()) return kBadConfiguration;
  const absl::Status made = store::BackUp(config->store, command.out, kWait);
  if (!made.ok()) return Fail(made);
  fmt::print("Made {}, a copy of {}. It is sealed: keep the key ring apart from it.\n", command.out, config->store);
  return kDone;
}

int RunRestore(const RestoreCommand& command) {
  const std::optional<Config> config = Load(command.config);
  if (!config.has_value()) return kBadConfiguration;
  const auto restored = Restore(*config, command);
  if (!restored.ok()) return Fail(restored.status());
  fmt::print(
      "Restored {} from {}: {} credentials, {} tokens that the broker created. What was changed after the backup "
      "is unknown to it.\n",
      config->store, command.backup, restored->credentials, restored->tokens);
  if (!restored->kept.empty()) fmt::print("The database that was there before is {} now.\n", restored->kept);
  return kDone;
}

}  // namespace lmbroker::app
