#include <memory>
#include <string>

#include "client/cli/command.h"
#include "client/cli/names.h"
#include "client/cli/values.h"
#include "service/base/quantity.h"

namespace lmbroker::cli {
namespace {

using Request = std::shared_ptr<v1::ExplainAccessRequest>;

void AddForward(CLI::App& explain, const Request& request) {
  CLI::App& command = *explain.add_subcommand("forward", "May it send this REST call?");
  AddText(command, "PORTAL", "The portal",
          [request](const auto& text) { request->mutable_forward()->set_portal(text); })
      ->required()
      ->transform(PortalArgument());
  AddText(command, "METHOD", "GET, POST, PUT, PATCH or DELETE", [request](const auto& text) {
    request->mutable_forward()->set_method(text);
  })->required();
  AddText(command, "PATH", "Literal, such as /device/devices", [request](const auto& text) {
    request->mutable_forward()->set_path(text);
  })->required();
  command.add_flag_callback(
      "--ingest", [request] { request->mutable_forward()->set_api(v1::INGEST); }, "Use the ingest API (/rest)");
  AddText(command, "--credential", "With this one (default: the one that a grant binds)", [request](const auto& text) {
    request->mutable_forward()->set_credential(text);
  })->transform(CredentialArgument());
}

void AddToken(CLI::App& explain, const Request& request) {
  CLI::App& command = *explain.add_subcommand("token", "May it manage these tokens?");
  AddText(command, "VERB", "create, list, get, update, toggle, rotate or delete", [request](const auto& text) {
    request->mutable_token()->set_verb(text);
  })->required();
  AddText(command, "PORTAL[/ADMIN]", "The portal (with list), or the LM user by id",
          [request](const auto& text) { request->mutable_token()->set_parent(text); })
      ->required()
      ->transform(PortalOrAdminArgument());
  AddText(command, "--type", "Tokens of this type", [request](const auto& text) {
    request->mutable_token()->set_type(*ParseTokenType(text));
  })->check(TokenTypeArgument());
  AddText(command, "--ttl", "With create: for this time", [request](const auto& text) {
    *request->mutable_token()->mutable_ttl() = ToProto(*ParseDuration(text));
  })->check(DurationArgument());
  command.add_flag_callback(
      "--hand-over", [request] { request->mutable_token()->set_hand_over(true); }, "With the secret handed over");
}

}  // namespace

void AddExplainCommands(CLI::App& app, CommandLine& line) {
  using Stub = v1::PolicyService::Stub;
  const auto request = std::make_shared<v1::ExplainAccessRequest>();
  CLI::App& explain = *app.add_subcommand("explain", "Whether the policy allows something, and why or why not");
  explain.require_subcommand(1);
  AddText(explain, "CALLER", "An identity, such as dns:app.corp.example, or a name in the policy file",
          [request](const auto& text) { request->set_caller(text); })
      ->required();
  AddForward(explain, request);
  AddToken(explain, request);
  explain.callback([&line, request] {
    line.action = CallAndShow<Stub, v1::ExplainAccessRequest, v1::ExplainAccessResponse>(&Stub::ExplainAccess, request);
  });
}

}  // namespace lmbroker::cli
