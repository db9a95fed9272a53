#include "service/rpc/server.h"

#include <dlfcn.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string>

#include <absl/time/clock.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/server_builder.h>

#include "service/base/status_macros.h"
#include "service/rpc/method_table.h"

namespace lmbroker::rpc {
namespace {

// Room in a message beside the body, so that a body a little over the limit is refused by us, with a reason.
constexpr std::size_t kMessageHeadroom = 4 << 20;
// How often certificate files are looked at, in seconds.
constexpr unsigned int kCertificateRefresh = 1;

// How long a connection may take for its TLS handshake; until then anyone can hold one of the places.
constexpr int kMostHandshakeMs = 10'000;
// What calls have to end when their connection has come of age: more than any may take.
constexpr absl::Duration kAgeGrace = absl::Minutes(6);

int ToInt(std::size_t number) {
  return static_cast<int>(std::min<std::size_t>(number, std::numeric_limits<int>::max()));
}

int ToMilliseconds(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

int MessageLimit(std::size_t body) { return ToInt(body + kMessageHeadroom); }

// What gRPC may hold of messages that have not come whole. Two of the largest must find room, or one would keep all
// others out.
std::size_t BufferedBytes(const Server::Options& options) {
  return std::max(options.most_buffered, 2 * (options.most_request_bytes + kMessageHeadroom));
}

std::shared_ptr<grpc::ServerCredentials> Tls(const Server::Options& options) {
  auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      options.identity, options.identity, options.authorities, kCertificateRefresh);
  grpc::experimental::TlsServerCredentialsOptions tls(provider);
  tls.watch_identity_key_cert_pairs();
  tls.watch_root_certs();
  tls.set_cert_request_type(options.require_certificates ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                                         : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  return grpc::experimental::TlsServerCredentials(tls);
}

// "lmbroker.v1.TokenService" of "/lmbroker.v1.TokenService/GetToken", for each method.
std::set<std::string, std::less<>> Services() {
  std::set<std::string, std::less<>> names;
  for (const MethodRow& row : AllMethods()) names.emplace(row.name.substr(1, row.name.rfind('/') - 1));
  return names;
}

// gRPC's reflection registers itself with every server of a process as soon as its library is in it, whatever a flag
// says. So the library is loaded here, and only when reflection is wanted; off is then really off.
absl::Status LoadReflection() {
  if (dlopen("libgrpc++_reflection.so.1.51", RTLD_NOW | RTLD_GLOBAL) != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError("listen.reflection: gRPC's reflection library is not installed");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options, const Parts& parts,
                                                      const std::vector<Served>& services) {
  if (options.reflection) {
    if (absl::Status loaded = LoadReflection(); !loaded.ok()) return loaded;
  }
  std::unique_ptr<Server> server(new Server());
  ASSIGN_OR_RETURN(server->acceptor_,
                   Acceptor::Open(options.address, options.most_connections,
                                  {.clock = parts.clock, .logger = parts.logger, .metrics = parts.metrics}));
  grpc::ServerBuilder builder;
  auto hand_over = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, Tls(options));
  builder.RegisterService(&server->health_);
  for (const Served& each : services) builder.RegisterService(each.service);
  builder.SetMaxReceiveMessageSize(MessageLimit(options.most_request_bytes));
  builder.SetMaxSendMessageSize(MessageLimit(options.most_reply_bytes));
  builder.SetResourceQuota(grpc::ResourceQuota("lmbroker").Resize(BufferedBytes(options)));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 << 10);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, ToInt(options.most_calls));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, ToMilliseconds(options.connection_age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, ToMilliseconds(kAgeGrace));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kMostHandshakeMs);
  // What costs time in every call and is of no use here.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
  server->queue_ = std::make_unique<CallQueue>(builder, parts.loop);
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr) return absl::InternalError("gRPC's server does not start");
  server->health_.TakeCalls(*server->queue_);
  for (const Served& each : services) each.take_calls(*server->queue_);
  server->queue_->Start();
  server->acceptor_->Start([to = std::shared_ptr(std::move(hand_over))](Descriptor connection) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters taken;
    taken.fd = connection.release();
    to->HandleNewConnection(&taken);
  });
  return server;
}

Server::Server() : health_(Services()) {}

Server::~Server() { Drain(absl::ZeroDuration()); }

void Server::Quiesce() {
  queue_->Post([this] { health_.StopServing(); });
}

void Server::Drain(absl::Duration grace) {
  if (queue_ == nullptr) return;
  acceptor_->Stop();
  if (server_ != nullptr) {
    queue_->Post([this] { health_.EndWatches(); });
    server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
    server_->Wait();
  }
  queue_ = nullptr;  // when the last call has ended
}

}  // namespace lmbroker::rpc
