#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "client/cli/command.h"
#include "client/cli/input.h"
#include "client/cli/names.h"
#include "client/cli/values.h"
#include "service/base/secret.h"
#include "service/base/status_macros.h"

namespace lmbroker::cli {
namespace {

using Stub = v1::CredentialService::Stub;

constexpr int kMostPageSize = 1000;

// What `credential import` was told, the secret included.
struct Import {
  v1::ImportCredentialRequest request;
  std::string secret_file;
  Secret secret;
};

absl::Status Send(Session& session, Import& import) {
  import.request.set_secret(std::string(import.secret.Reveal()));
  const auto reply = session.broker.Call(&Stub::ImportCredential, import.request);
  std::string& sent = *import.request.mutable_secret();
  Wipe(sent.data(), sent.size());
  return reply.ok() ? session.Show(*reply) : reply.status();
}

void AddImport(CLI::App& noun, CommandLine& line, Io& io) {
  const auto import = std::make_shared<Import>();
  CLI::App& command = *noun.add_subcommand("import", "Take over a secret; it is read from standard input or a file");
  AddText(command, "NAME", "",
          [import](const std::string& text) {
            import->request.set_parent(text.substr(0, text.find("/credentials/")));
            import->request.set_credential_id(text.substr(text.rfind('/') + 1));
          })
      ->required()
      ->transform(CredentialArgument());
  AddText(command, "--type", "How it authenticates",
          [import](const auto& text) { import->request.set_type(*ParseTokenType(text)); })
      ->required()
      ->check(TokenTypeArgument());
  AddText(command, "--access-id", "LM's access id; required with lmv1",
          [import](const auto& text) { import->request.set_access_id(text); });
  command.add_flag_callback(
      "--master", [import] { import->request.set_master(true); }, "The broker may manage the portal's tokens with it");
  AddText(command, "--token", "The LM token that it belongs to", [import](const auto& text) {
    import->request.set_token(text);
  })->transform(TokenArgument());
  command.add_option("--secret-file", import->secret_file, "Read the secret from this file")->type_name("FILE");
  command.callback([&line, &io, import] {
    absl::StatusOr<Secret> secret = ReadSecret(import->secret_file, io);
    if (!secret.ok()) throw CLI::ValidationError(std::string(secret.status().message()));
    import->secret = *std::move(secret);
    line.action = [import](Session& session) { return Send(session, *import); };
  });
}

absl::StatusOr<v1::ListCredentialsResponse> ListAll(client::Connection& broker, v1::ListCredentialsRequest request) {
  v1::ListCredentialsResponse all;
  request.set_page_size(kMostPageSize);
  do {
    request.set_page_token(all.next_page_token());
    ASSIGN_OR_RETURN(const v1::ListCredentialsResponse page, broker.Call(&Stub::ListCredentials, request));
    all.clear_next_page_token();
    all.MergeFrom(page);
  } while (!all.next_page_token().empty());
  return all;
}

void AddList(CLI::App& noun, CommandLine& line) {
  const auto request = std::make_shared<v1::ListCredentialsRequest>();
  CLI::App& command = *noun.add_subcommand("list", "List the credentials of a portal");
  AddText(command, "PORTAL", "The portal", [request](const auto& text) { request->set_parent(text); })
      ->required()
      ->transform(PortalArgument());
  command.callback([&line, request] {
    line.action = [request](Session& session) {
      const auto list = ListAll(session.broker, *request);
      return list.ok() ? session.Show(*list) : list.status();
    };
  });
}

v1::ToggleCredentialRequest Toggle(v1::TokenStatus status) {
  v1::ToggleCredentialRequest request;
  request.set_status(status);
  return request;
}

}  // namespace

void AddCredentialCommands(CLI::App& app, CommandLine& line, Io& io) {
  CLI::App& noun = *app.add_subcommand("credential", "Secrets in the broker's custody (operators)");
  noun.require_subcommand(1);
  const CLI::Validator name = CredentialArgument();
  AddImport(noun, line, io);
  AddList(noun, line);
  AddNameCommand(noun, line, "get", "Show a credential", name, &Stub::GetCredential);
  AddNameCommand(noun, line, "enable", "Let calls be signed with it", name, &Stub::ToggleCredential,
                 Toggle(v1::ENABLED));
  AddNameCommand(noun, line, "disable", "Let no call be signed with it", name, &Stub::ToggleCredential,
                 Toggle(v1::DISABLED));
  AddNameCommand(noun, line, "rotate", "Give it a new secret, of a new token; a master, too", name,
                 &Stub::RotateCredential);
  AddNameCommand(noun, line, "delete", "Delete it and its secret; the token at the portal stays", name,
                 &Stub::DeleteCredential);
  AddNameCommand(noun, line, "probe", "Try it with one harmless call", name, &Stub::ProbeCredential);
}

}  // namespace lmbroker::cli
