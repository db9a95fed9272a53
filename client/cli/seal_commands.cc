#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "client/cli/command.h"
#include "client/cli/input.h"
#include "client/refusal.h"
#include "service/base/secret.h"

namespace lmbroker::cli {
namespace {

using Stub = v1::OperatorService::Stub;

absl::StatusOr<v1::UnsealResponse> Send(Session& session, const Secret& passphrase) {
  v1::UnsealRequest request;
  request.set_passphrase(std::string(passphrase.Reveal()));
  absl::StatusOr<v1::UnsealResponse> reply = session.broker.Call(&Stub::Unseal, request);
  std::string& sent = *request.mutable_passphrase();
  Wipe(sent.data(), sent.size());
  return reply;
}

bool AsksForPassphrase(const absl::Status& status) {
  const auto refusal = client::RefusalOf(status);
  return refusal.has_value() && refusal->reason == "FIELD_INVALID";
}

// Nobody is asked for a passphrase that is not needed.
absl::Status Unseal(Session& session, const Secret& passphrase) {
  absl::StatusOr<v1::UnsealResponse> reply = Send(session, passphrase);
  if (passphrase.empty() && AsksForPassphrase(reply.status())) {
    const absl::StatusOr<Secret> read = ReadSecret("", session.io);
    if (!read.ok()) return reply.status();
    reply = Send(session, *read);
  }
  return reply.ok() ? session.Show(*reply) : reply.status();
}

}  // namespace

void AddSealCommands(CLI::App& app, CommandLine& line, Io& io) {
  app.add_subcommand("seal", "Wipe every key from the broker's memory (operators)")->callback([&line] {
    line.action =
        CallAndShow<Stub, v1::SealRequest, v1::SealResponse>(&Stub::Seal, std::make_shared<v1::SealRequest>());
  });
  CLI::App& unseal = *app.add_subcommand(
      "unseal", "Have the broker read its key ring; a passphrase is read from standard input when it needs one");
  const auto file = std::make_shared<std::string>();
  unseal.add_option("--passphrase-file", *file, "Read the passphrase from this file")->type_name("FILE");
  unseal.callback([&line, &io, file] {
    const auto passphrase = std::make_shared<Secret>();
    if (!file->empty()) {
      absl::StatusOr<Secret> read = ReadSecret(*file, io);
      if (!read.ok()) throw CLI::ValidationError(std::string(read.status().message()));
      *passphrase = *std::move(read);
    }
    line.action = [passphrase](Session& session) { return Unseal(session, *passphrase); };
  });
}

}  // namespace lmbroker::cli
