#include "service/rpc/server.h"

#include <dlfcn.h>

#include <limits>
#include <string_view>
#include <utility>

#include <absl/time/clock.h>
#include <fmt/format.h>
#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/server_builder.h>

#include "service/rpc/method_table.h"

namespace lmbroker::rpc {
namespace {

// Room in a message beside the body, so that a body a little over the limit is refused by us, with a reason.
constexpr std::size_t kMessageHeadroom = 4 << 20;
// How often certificate files are looked at, in seconds.
constexpr unsigned int kCertificateRefresh = 1;

int MessageLimit(std::size_t body) {
  const std::size_t limit = body + kMessageHeadroom;
  return static_cast<int>(std::min<std::size_t>(limit, std::numeric_limits<int>::max()));
}

std::shared_ptr<grpc::ServerCredentials> MutualTls(const Server::Options& options) {
  auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      options.key, options.certificate, options.client_ca, kCertificateRefresh);
  grpc::experimental::TlsServerCredentialsOptions tls(provider);
  tls.watch_identity_key_cert_pairs();
  tls.watch_root_certs();
  tls.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return grpc::experimental::TlsServerCredentials(tls);
}

// "lmbroker.v1.TokenService" of "/lmbroker.v1.TokenService/GetToken".
std::string ServiceOf(std::string_view method) {
  method.remove_prefix(1);
  return std::string(method.substr(0, method.find('/')));
}

// gRPC's reflection registers itself with every server of a process as soon as its library is in it, whatever a flag
// says. So the library is loaded here, and only when reflection is wanted; off is then really off.
absl::Status LoadReflection() {
  if (dlopen("libgrpc++_reflection.so.1.51", RTLD_NOW | RTLD_GLOBAL) != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError("listen.reflection: gRPC's reflection library is not installed");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options,
                                                      const std::vector<grpc::Service*>& services) {
  if (options.reflection) {
    if (absl::Status loaded = LoadReflection(); !loaded.ok()) return loaded;
  }
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.address, MutualTls(options), &port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  builder.SetMaxReceiveMessageSize(MessageLimit(options.most_request_bytes));
  builder.SetMaxSendMessageSize(MessageLimit(options.most_reply_bytes));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a second broker on this port must fail, not share it
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 << 10);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return absl::UnavailableError(fmt::format("listen.address: cannot listen on {}", options.address));
  }
  // gRPC itself answers for the server as a whole alone.
  for (const MethodRow& row : AllMethods()) {
    server->GetHealthCheckService()->SetServingStatus(ServiceOf(row.name), true);
  }
  const std::string host = options.address.substr(0, options.address.rfind(':'));
  return std::unique_ptr<Server>(new Server(std::move(server), fmt::format("{}:{}", host, port)));
}

Server::~Server() { Drain(absl::ZeroDuration()); }

void Server::Quiesce() { server_->GetHealthCheckService()->SetServingStatus(false); }

void Server::Drain(absl::Duration grace) {
  server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
  server_->Wait();
}

}  // namespace lmbroker::rpc
