#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <fmt/format.h>

#include "client/cli/command.h"
#include "client/cli/input.h"
#include "client/cli/names.h"
#include "client/cli/table.h"
#include "client/cli/values.h"
#include "service/base/status_macros.h"

namespace lmbroker::cli {
namespace {

constexpr int kFirstErrorStatus = 400;

// What `forward` was told.
struct Forward {
  v1::ForwardRequest request;
  std::string body_file;
  bool include = false;
};

// The body alone is standard output, byte by byte, so that it can be piped.
void ShowReply(const Session& session, const v1::ForwardResponse& reply, bool include) {
  if (include) {
    session.io.out << "HTTP " << reply.status() << '\n';
    for (const v1::Header& header : reply.headers()) {
      session.io.out << Printable(header.name()) << ": " << Printable(header.value()) << '\n';
    }
    session.io.out << '\n';
  } else if (reply.status() >= kFirstErrorStatus) {
    session.io.err << fmt::format("The portal answered HTTP {}.\n", reply.status());
  }
  session.io.out << reply.body();
}

absl::Status Send(Session& session, const Forward& forward) {
  ASSIGN_OR_RETURN(const v1::ForwardResponse reply,
                   session.broker.Call(&v1::ForwardService::Stub::Forward, forward.request));
  if (session.output == Output::kJson) return session.ShowJson(reply);
  ShowReply(session, reply, forward.include);
  return absl::OkStatus();
}

void AddCallArguments(CLI::App& command, const std::shared_ptr<Forward>& forward) {
  AddText(command, "PORTAL", "The portal", [forward](const auto& text) { forward->request.set_portal(text); })
      ->required()
      ->transform(PortalArgument());
  AddText(command, "METHOD", "GET, POST, PUT, PATCH or DELETE", [forward](const auto& text) {
    forward->request.set_method(text);
  })->required();
  AddText(command, "PATH", "Literal, such as /device/devices; no base, no query", [forward](const auto& text) {
    forward->request.set_path(text);
  })->required();
  command.add_flag_callback(
      "--ingest", [forward] { forward->request.set_api(v1::INGEST); }, "Use the ingest API (/rest)");
  AddText(command, "--credential", "Sign with this one (default: the one that the grant binds)",
          [forward](const auto& text) { forward->request.set_credential(text); })
      ->transform(CredentialArgument());
}

template <class Add>
void AddPairs(CLI::App& command, const std::string& flag, char separator, const std::string& help, Add add) {
  command
      .add_option_function<std::vector<std::string>>(
          flag,
          [separator, add](const std::vector<std::string>& pairs) {
            for (const std::string& pair : pairs) add(*ParsePair(pair, separator));
          },
          help)
      ->allow_extra_args(false)
      ->check(PairArgument(separator));
}

}  // namespace

void AddForwardCommand(CLI::App& app, CommandLine& line, Io& io) {
  const auto forward = std::make_shared<Forward>();
  CLI::App& command = *app.add_subcommand("forward", "Send a REST call to a portal, signed by the broker");
  AddCallArguments(command, forward);
  AddPairs(command, "--query", '=', "A query pair, decoded; may be repeated", [forward](const Pair& pair) {
    v1::QueryPair& query = *forward->request.add_query();
    query.set_name(pair.first);
    query.set_value(pair.second);
  });
  AddPairs(command, "--header", ':', "A header; may be repeated", [forward](const Pair& pair) {
    v1::Header& header = *forward->request.add_headers();
    header.set_name(pair.first);
    header.set_value(pair.second.substr(std::min(pair.second.find_first_not_of(' '), pair.second.size())));
  });
  command.add_option("--body", forward->body_file, "Send this file, or standard input with -")->type_name("FILE|-");
  command.add_flag("--include", forward->include, "Show status and headers before the body");
  command.callback([&line, &io, forward] {
    if (!forward->body_file.empty()) {
      absl::StatusOr<std::string> body = ReadBody(forward->body_file, io);
      if (!body.ok()) throw CLI::ValidationError(std::string(body.status().message()));
      forward->request.set_body(*std::move(body));
    }
    line.action = [forward](Session& session) { return Send(session, *forward); };
  });
}

}  // namespace lmbroker::cli
