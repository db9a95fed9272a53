#include "service/app/audit_tool.h"

#include <cstddef>
#include <cstdio>
#include <optional>
#include <utility>

#include <absl/status/status.h>
#include <fmt/format.h>

#include "service/audit/head.h"
#include "service/audit/verify_files.h"
#include "service/base/file.h"
#include "service/base/random.h"
#include "service/base/status_macros.h"
#include "service/crypto/ed25519.h"
#include "service/crypto/key_ring.h"

namespace lmbroker::app {
namespace {

constexpr int kIntact = 0;
constexpr int kDamaged = 1;
constexpr int kUnreadable = 2;
constexpr std::size_t kMostPemBytes = 16 * 1024;

void Say(const absl::Status& status) { fmt::print(stderr, "lmbrokerd: {}\n", std::string(status.message())); }

absl::StatusOr<audit::Verifier::Options> ReadOptions(const AuditCommand& command) {
  audit::Verifier::Options options;
  if (!command.head.empty()) {
    ASSIGN_OR_RETURN(options.head, audit::ReadHead(command.head));
    if (!options.head.has_value()) return absl::NotFoundError(fmt::format("there is no file {}", command.head));
  }
  if (!command.key.empty()) {
    ASSIGN_OR_RETURN(const std::string pem, ReadFile(command.key, kMostPemBytes));
    auto key = crypto::Ed25519PublicKey::FromPem(pem);
    if (!key.ok()) {
      return absl::InvalidArgumentError(fmt::format("{} {}", command.key, std::string(key.status().message())));
    }
    options.key = *std::move(key);
  }
  return options;
}

int Tell(const audit::Findings& findings) {
  for (const std::string& note : findings.notes) fmt::print("note: {}\n", note);
  if (!findings.damage.empty()) {
    fmt::print("DAMAGED {}\n", findings.damage);
    return kDamaged;
  }
  if (findings.records == 0) {
    fmt::print("intact: no records\n");
  } else {
    fmt::print("intact: {} records, {} to {}, {} checkpoints\n", findings.records, findings.first, findings.last,
               findings.checkpoints);
  }
  return kIntact;
}

int Verify(const AuditCommand& command) {
  auto options = ReadOptions(command);
  if (!options.ok()) {
    Say(options.status());
    return kUnreadable;
  }
  const auto findings = audit::VerifyFiles(command.files, *std::move(options));
  if (!findings.ok()) {
    Say(findings.status());
    return kUnreadable;
  }
  return Tell(*findings);
}

int PrintKey(const AuditCommand& command) {
  SystemRandom random;
  const auto ring = crypto::KeyRing::Load(command.keyring, random);
  if (!ring.ok()) {
    Say(ring.status());
    return kDamaged;
  }
  const std::optional<Secret> seed = ring->audit_seed();
  if (!seed.has_value()) {
    fmt::print(stderr, "lmbrokerd: {} has no audit key; `lmbrokerd keyring add` adds one\n", command.keyring);
    return kDamaged;
  }
  fmt::print("{}", crypto::Ed25519PublicKey::Of(*seed).Pem());
  return kIntact;
}

}  // namespace

int RunAudit(const AuditCommand& command) {
  return command.action == AuditCommand::Action::kKey ? PrintKey(command) : Verify(command);
}

}  // namespace lmbroker::app
