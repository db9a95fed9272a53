#include "service/rpc/server.h"

#include <algorithm>
#include <set>
#include <utility>

#include "service/base/status_macros.h"
#include "service/rpc/callers.h"
#include "service/rpc/method_table.h"

namespace lmbroker::rpc {
namespace {

// Room in a message beside the body, so that a body a little over the limit is refused by us, with a reason.
constexpr std::size_t kMessageHeadroom = 4 << 20;

// "lmbroker.v1.TokenService" of "/lmbroker.v1.TokenService/GetToken", for each method.
std::set<std::string, std::less<>> Services() {
  std::set<std::string, std::less<>> names;
  for (const MethodRow& row : AllMethods()) names.emplace(row.name.substr(1, row.name.rfind('/') - 1));
  return names;
}

std::set<std::string, std::less<>> ListedServices() {
  auto names = Services();
  names.insert({"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"});
  return names;
}

Callers::Options OptionsOf(const Server::Options& options) {
  const std::size_t most_message = options.most_request_bytes + kMessageHeadroom;
  // Two of the largest must find room, or one would keep all others out.
  return {.most_message = most_message,
          .most_unread = std::max(options.most_unread, 2 * most_message),
          .most_calls = options.most_calls,
          .most_in_all = options.most_calls_in_all,
          .connection_age = options.connection_age};
}

}  // namespace

Server::Server(const Options& options, const Parts& parts)
    : parts_(parts),
      health_(Services()),
      reflection_(ListedServices()),
      callers_(std::make_unique<Callers>(OptionsOf(options), parts.loop, parts.clock, methods_)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options, const Parts& parts,
                                                      const std::vector<Served>& services) {
  ASSIGN_OR_RETURN(auto acceptor,
                   h2::Acceptor::Open(options.address, options.most_connections,
                                      {.clock = parts.clock, .logger = parts.logger, .metrics = parts.metrics}));
  std::unique_ptr<Server> server(new Server(options, parts));
  for (const Served& each : services) each.add_to(server->methods_);
  server->health_.AddTo(server->methods_);
  if (options.reflection) server->reflection_.AddTo(server->methods_);
  server->callers_->Start();
  server->acceptor_ = std::move(acceptor);
  ASSIGN_OR_RETURN(server->door_, h2::Door::Open(parts.clock, parts.tls,
                                                 [callers = server->callers_.get()](std::unique_ptr<h2::TlsSocket> in) {
                                                   callers->Take(std::move(in));
                                                 }));
  server->acceptor_->Start([door = server->door_.get()](h2::Accepted accepted) { door->Enter(std::move(accepted)); });
  return server;
}

Server::~Server() { Drain(absl::ZeroDuration()); }

void Server::Quiesce() {
  parts_.loop.Post([this] { health_.StopServing(); });
}

void Server::Drain(absl::Duration grace) {
  if (std::exchange(drained_, true)) return;
  acceptor_->Stop();
  door_.reset();
  parts_.loop.Post([this] { health_.EndWatches(); });
  callers_->End(grace);
  callers_->Wait();
}

}  // namespace lmbroker::rpc
