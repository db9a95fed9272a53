#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <fmt/format.h>

#include "client/cli/command.h"
#include "client/cli/names.h"
#include "client/cli/values.h"
#include "service/base/quantity.h"
#include "service/base/status_macros.h"

namespace lmbroker::cli {
namespace {

using Stub = v1::TokenService::Stub;

constexpr std::int32_t kMostPageSize = 1000;

void AddCreate(CLI::App& noun, CommandLine& line) {
  const auto request = std::make_shared<v1::CreateTokenRequest>();
  CLI::App& command = *noun.add_subcommand("create", "Create a token; its secret stays in the broker's custody");
  AddText(command, "PORTAL/ADMIN", "The LM user who will own it",
          [request](const auto& text) { request->set_parent(text); })
      ->required()
      ->transform(AdminArgument());
  AddText(command, "--type", "How it authenticates (default: lmv1)", [request](const auto& text) {
    request->mutable_token()->set_type(*ParseTokenType(text));
  })->check(TokenTypeArgument());
  AddText(command, "--note", "A note, shown in the portal",
          [request](const auto& text) { request->mutable_token()->set_note(text); });
  command.add_flag_callback(
      "--disabled", [request] { request->mutable_token()->set_status(v1::DISABLED); }, "Create it switched off");
  AddText(command, "--ttl", "Disable, then delete it after this time", [request](const auto& text) {
    *request->mutable_ttl() = ToProto(*ParseDuration(text));
  })->check(DurationArgument());
  AddText(command, "--credential-id", "The handle for the secret (default: the broker chooses)",
          [request](const auto& text) { request->set_credential_id(text); });
  command.add_flag_callback(
      "--hand-over", [request] { request->set_hand_over(true); },
      "Show the secret once instead of keeping it; needs a grant that says so");
  AddText(command, "--request-id", "A UUID that makes a repeat return the first result",
          [request](const auto& text) { request->set_request_id(text); });
  command.callback([&line, request] {
    line.action = CallAndShow<Stub, v1::CreateTokenRequest, v1::CreateTokenResponse>(&Stub::CreateToken, request);
  });
}

// All pages as one list, of `limit` tokens at most.
absl::StatusOr<v1::ListTokensResponse> ListAll(client::Connection& broker, v1::ListTokensRequest request, int limit) {
  v1::ListTokensResponse all;
  do {
    request.set_page_size(std::min(kMostPageSize, limit - all.tokens_size()));
    request.set_page_token(all.next_page_token());
    ASSIGN_OR_RETURN(const v1::ListTokensResponse page, broker.Call(&Stub::ListTokens, request));
    all.clear_next_page_token();
    all.MergeFrom(page);
  } while (!all.next_page_token().empty() && all.tokens_size() < limit);
  return all;
}

void AddList(CLI::App& noun, CommandLine& line) {
  const auto request = std::make_shared<v1::ListTokensRequest>();
  const auto limit = std::make_shared<int>(std::numeric_limits<int>::max());
  CLI::App& command = *noun.add_subcommand("list", "List the tokens of a portal or of one LM user");
  AddText(command, "PORTAL[/ADMIN]", "The portal, or the LM user by id",
          [request](const auto& text) { request->set_parent(text); })
      ->required()
      ->transform(PortalOrAdminArgument());
  AddText(command, "--type", "Only this type", [request](const auto& text) {
    request->set_type(*ParseTokenType(text));
  })->check(TokenTypeArgument());
  command.add_flag_callback("--enabled-only", [request] { request->set_enabled_only(true); }, "No disabled tokens");
  AddText(command, "--search", "Only those with this text in note, admin name or access id",
          [request](const auto& text) { request->set_search(text); });
  command.add_option("--limit", *limit, "At most so many (default: all)")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()));
  command.callback([&line, request, limit] {
    line.action = [request, limit](Session& session) -> absl::Status {
      ASSIGN_OR_RETURN(const auto list, ListAll(session.broker, *request, *limit));
      RETURN_IF_ERROR(session.Show(list));
      if (!list.next_page_token().empty()) {
        session.io.err << fmt::format("{} of {} tokens shown.\n", list.tokens_size(), list.total_size());
      }
      return absl::OkStatus();
    };
  });
}

void AddNote(CLI::App& noun, CommandLine& line) {
  const auto request = std::make_shared<v1::UpdateTokenRequest>();
  request->mutable_update_mask()->add_paths("note");
  CLI::App& command = *noun.add_subcommand("note", "Change the note of a token and nothing else");
  AddText(command, "NAME", "PORTAL/ADMIN/TOKEN",
          [request](const auto& text) { request->mutable_token()->set_name(text); })
      ->required()
      ->transform(TokenArgument());
  AddText(command, "TEXT", "The new note; \"\" clears it", [request](const auto& text) {
    request->mutable_token()->set_note(text);
  })->required();
  command.callback([&line, request] {
    line.action = CallAndShow<Stub, v1::UpdateTokenRequest, v1::Token>(&Stub::UpdateToken, request);
  });
}

v1::ToggleTokenRequest Toggle(v1::TokenStatus status) {
  v1::ToggleTokenRequest request;
  request.set_status(status);
  return request;
}

}  // namespace

void AddTokenCommands(CLI::App& app, CommandLine& line) {
  CLI::App& noun = *app.add_subcommand("token", "LogicMonitor API tokens")->require_subcommand(1);
  const CLI::Validator name = TokenArgument();
  AddCreate(noun, line);
  AddList(noun, line);
  AddNameCommand(noun, line, "get", "Show a token", name, &Stub::GetToken);
  AddNameCommand(noun, line, "enable", "Switch a token on", name, &Stub::ToggleToken, Toggle(v1::ENABLED));
  AddNameCommand(noun, line, "disable", "Switch a token off", name, &Stub::ToggleToken, Toggle(v1::DISABLED));
  AddNote(noun, line);
  AddNameCommand(noun, line, "rotate", "Put a new token in its place; the credential keeps its name", name,
                 &Stub::RotateToken);
  AddNameCommand(noun, line, "delete", "Delete a token at the portal and in the broker", name, &Stub::DeleteToken);
}

}  // namespace lmbroker::cli
