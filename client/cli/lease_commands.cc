#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "client/cli/command.h"
#include "client/cli/names.h"
#include "service/base/status_macros.h"

namespace lmbroker::cli {
namespace {

using Stub = v1::OperatorService::Stub;

constexpr int kMostPageSize = 1000;

absl::StatusOr<v1::ListLeasesResponse> ListAll(client::Connection& broker, v1::ListLeasesRequest request) {
  v1::ListLeasesResponse all;
  request.set_page_size(kMostPageSize);
  do {
    request.set_page_token(all.next_page_token());
    ASSIGN_OR_RETURN(const v1::ListLeasesResponse page, broker.Call(&Stub::ListLeases, request));
    all.clear_next_page_token();
    all.MergeFrom(page);
  } while (!all.next_page_token().empty());
  return all;
}

void AddList(CLI::App& noun, CommandLine& line) {
  const auto request = std::make_shared<v1::ListLeasesRequest>();
  CLI::App& command = *noun.add_subcommand("list", "List the leases of a portal's tokens");
  AddText(command, "PORTAL", "The portal", [request](const auto& text) { request->set_portal(text); })
      ->required()
      ->transform(PortalArgument());
  command.add_flag_callback(
      "--stuck", [request] { request->set_stuck_only(true); },
      "Only those whose token the portal does not let the broker disable or delete");
  command.callback([&line, request] {
    line.action = [request](Session& session) {
      const auto list = ListAll(session.broker, *request);
      return list.ok() ? session.Show(*list) : list.status();
    };
  });
}

}  // namespace

void AddLeaseCommands(CLI::App& app, CommandLine& line) {
  CLI::App& noun = *app.add_subcommand("lease", "Tokens that end by themselves (operators)");
  noun.require_subcommand(1);
  AddList(noun, line);
  AddNameCommand(noun, line, "revoke", "Disable a leased token now, and delete it ten minutes later", TokenArgument(),
                 &Stub::RevokeLease);
}

}  // namespace lmbroker::cli
