#include "service/app/keyring_tool.h"

#include <cstdio>
#include <optional>
#include <string>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/time/time.h>
#include <fmt/format.h>

#include "service/app/passphrase.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/base/secret.h"
#include "service/base/status_macros.h"
#include "service/crypto/key_ring_file.h"
#include "service/crypto/key_ring_text.h"
#include "service/crypto/ring_changes.h"

namespace lmbroker::app {
namespace {

using crypto::RingContent;

// For the text of a ring and its keys.
constexpr std::size_t kSecureHeapBytes = std::size_t{1} << 20;

// What each action does; `done` is told to the person.
absl::Status Init(const KeyringCommand& command, std::string& done) {
  SystemRandom random;
  std::optional<crypto::RingLock> lock;
  if (command.protect || !command.passphrase_file.empty()) {
    ASSIGN_OR_RETURN(const Secret passphrase, ReadPassphrase(command.passphrase_file, true));
    ASSIGN_OR_RETURN(lock, crypto::RingLock::Make(passphrase, random));
  }
  RETURN_IF_ERROR(crypto::CreateKeyRingFile(command.file, crypto::NewRing(random, SystemClock().Now()),
                                            lock.has_value() ? &*lock : nullptr, random));
  done = fmt::format(
      "Made {} with one key, version 1. Keep a copy apart from the database: who has both {}has every secret.",
      command.file, lock.has_value() ? "and the passphrase " : "");
  return absl::OkStatus();
}

absl::Status Change(const KeyringCommand& command, absl::FunctionRef<absl::Status(RingContent&)> change) {
  SystemRandom random;
  return crypto::ChangeKeyRingFile(
      command.file, [&command] { return ReadPassphrase(command.passphrase_file, false); }, random, change);
}

absl::Status Add(const KeyringCommand& command, std::string& done) {
  return Change(command, [&](RingContent& ring) -> absl::Status {
    SystemRandom random;
    ASSIGN_OR_RETURN(const std::uint32_t version, crypto::AddKey(ring, random, SystemClock().Now()));
    done = fmt::format("Added version {}, active. Once every broker has it, promote it: lmbrokerd keyring promote {}",
                       version, command.file);
    return absl::OkStatus();
  });
}

absl::Status Promote(const KeyringCommand& command, std::string& done) {
  return Change(command, [&](RingContent& ring) -> absl::Status {
    ASSIGN_OR_RETURN(const std::uint32_t version, crypto::PromoteKey(ring, command.version));
    done = fmt::format(
        "Version {} is primary. A running broker wraps its records again with it; `lmbroker status` shows how far it "
        "is.",
        version);
    return absl::OkStatus();
  });
}

absl::Status Retire(const KeyringCommand& command, std::string& done) {
  return Change(command, [&](RingContent& ring) -> absl::Status {
    RETURN_IF_ERROR(crypto::RetireKey(ring, *command.version));
    done = fmt::format(
        "Version {0} is retired. A broker whose records still need it keeps its old ring and says so; `lmbrokerd "
        "keyring promote {1} {0}` takes it back.",
        *command.version, command.file);
    return absl::OkStatus();
  });
}

absl::Status Purge(const KeyringCommand& command, std::string& done) {
  return Change(command, [&](RingContent& ring) -> absl::Status {
    RETURN_IF_ERROR(crypto::PurgeKey(ring, *command.version));
    done =
        fmt::format("Version {} is gone. What was sealed with it, backups too, can be opened only with a copy of it.",
                    *command.version);
    return absl::OkStatus();
  });
}

std::string Line(std::string_view version, std::string_view state, absl::Time create_time) {
  return fmt::format("{:>5}  {:<8}  {}\n", version, state,
                     absl::FormatTime(absl::RFC3339_sec, create_time, absl::UTCTimeZone()));
}

absl::Status List(const KeyringCommand& command, std::string& done) {
  ASSIGN_OR_RETURN(const crypto::OpenedRing opened, crypto::OpenKeyRingFile(command.file, [&command] {
                     return ReadPassphrase(command.passphrase_file, false);
                   }));
  const RingContent& ring = opened.content;
  for (const crypto::RingKey& key : ring.keys) {
    done += Line(fmt::format("{}", key.info.version), KeyStateName(key.info.state), key.info.create_time);
  }
  if (ring.audit_key.has_value()) done += Line("audit", "signs", ring.audit_key->create_time);
  done.pop_back();  // the last line's end comes with the print
  return absl::OkStatus();
}

absl::Status Do(const KeyringCommand& command, std::string& done) {
  using Action = KeyringCommand::Action;
  switch (command.action) {
    case Action::kInit:
      return Init(command, done);
    case Action::kAdd:
      return Add(command, done);
    case Action::kPromote:
      return Promote(command, done);
    case Action::kRetire:
      return Retire(command, done);
    case Action::kPurge:
      return Purge(command, done);
    case Action::kList:
      return List(command, done);
  }
  return absl::OkStatus();
}

}  // namespace

int RunKeyring(const KeyringCommand& command) {
  std::string done;
  absl::Status status = OpenSecureHeap(kSecureHeapBytes, kSecureHeapBytes);
  if (status.ok()) status = Do(command, done);
  if (!status.ok()) {
    fmt::print(stderr, "lmbrokerd: {}\n", std::string(status.message()));
    return 1;
  }
  fmt::print("{}\n", done);
  return 0;
}

}  // namespace lmbroker::app
