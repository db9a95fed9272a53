#pragma once

// What a command line becomes: an action that waits for a connection. Parsing and reading of input come first, so that
// a usage error is found before the broker is called.

#include <istream>
#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "client/cli/json.h"
#include "client/cli/print.h"
#include "client/connection.h"

namespace lmbroker::cli {

// The standard streams, as parameters so that tests can hold them.
struct Io {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
};

enum class Output { kTable, kJson };

// What an action works with.
struct Session {
  client::Connection& broker;
  Output output;
  Io& io;

  // Writes a reply in the wanted form; to standard output and nothing else.
  template <class Message>
  absl::Status Show(const Message& message) const {
    if (output == Output::kJson) return ShowJson(message);
    io.out << ToText(message);
    return absl::OkStatus();
  }

  absl::Status ShowJson(const google::protobuf::Message& message) const {
    const absl::StatusOr<std::string> json = ToJson(message);
    if (json.ok()) io.out << *json;
    return json.status();
  }
};

using Action = absl::AnyInvocable<absl::Status(Session&)>;

// The command line, filled while it is parsed.
struct CommandLine {
  client::Options connection;
  Output output = Output::kTable;
  Action action;
};

// Adds the commands of one noun. Their callbacks set `line.action`, and throw CLI::ParseError when input is missing.
void AddTokenCommands(CLI::App& app, CommandLine& line);
void AddCredentialCommands(CLI::App& app, CommandLine& line, Io& io);
void AddForwardCommand(CLI::App& app, CommandLine& line, Io& io);
void AddExplainCommands(CLI::App& app, CommandLine& line);
void AddPolicyCommands(CLI::App& app, CommandLine& line, Io& io);
void AddStatusCommand(CLI::App& app, CommandLine& line);
void AddSealCommands(CLI::App& app, CommandLine& line, Io& io);
void AddLeaseCommands(CLI::App& app, CommandLine& line);

// Adds an argument ("NAME") or option ("--note") whose text is given to `set`.
template <class Set>
CLI::Option* AddText(CLI::App& command, const std::string& name, const std::string& help, Set set) {
  return command.add_option_function<std::string>(name, [set](const std::string& text) { set(text); }, help);
}

template <class Stub, class Request, class Reply>
using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Reply*);

// The action that makes one call and shows its reply.
template <class Stub, class Request, class Reply>
Action CallAndShow(Method<Stub, Request, Reply> method, std::shared_ptr<const Request> request) {
  return [method, request = std::move(request)](Session& session) {
    const absl::StatusOr<Reply> reply = session.broker.Call(method, *request);
    return reply.ok() ? session.Show(*reply) : reply.status();
  };
}

// A command `VERB NAME` that makes one call with `request` and the name. `name` expands short forms.
template <class Stub, class Request, class Reply>
void AddNameCommand(CLI::App& noun, CommandLine& line, const std::string& verb, const std::string& help,
                    const CLI::Validator& name, Method<Stub, Request, Reply> method, Request request = {}) {
  const auto filled = std::make_shared<Request>(std::move(request));
  CLI::App& command = *noun.add_subcommand(verb, help);
  AddText(command, "NAME", name.get_description(), [filled](const auto& text) { filled->set_name(text); })
      ->required()
      ->transform(name);
  command.callback([&line, method, filled] { line.action = CallAndShow<Stub, Request, Reply>(method, filled); });
}

}  // namespace lmbroker::cli
