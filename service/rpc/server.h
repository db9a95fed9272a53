#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/server.h>

namespace lmbroker::rpc {

// The gRPC listener: TLS with required client certificates, health, and reflection only where it is asked for.
class Server {
 public:
  struct Options {
    std::string address;  // "127.0.0.1:8443"; port 0 = any
    std::string certificate;
    std::string key;
    std::string client_ca;
    bool reflection = false;
    std::size_t most_request_bytes = 8 << 20;  // of a body; a message may be a little larger
    std::size_t most_reply_bytes = 32 << 20;
  };

  // Binds and serves. The services must outlive the server. Fails when the address cannot be had for ourselves alone
  // or, with `reflection`, when gRPC's reflection library is not installed.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options,
                                                       const std::vector<grpc::Service*>& services);
  // Like Drain with no grace.
  ~Server();

  // Host and port in use.
  const std::string& address() const { return address_; }

  // Health says NOT_SERVING from now on; calls are still taken (clients need a moment to notice).
  void Quiesce();
  // No new calls; those in flight may end within `grace`, then they are cancelled. Returns when none is left.
  void Drain(absl::Duration grace);

 private:
  Server(std::unique_ptr<grpc::Server> server, std::string address)
      : server_(std::move(server)), address_(std::move(address)) {}

  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace lmbroker::rpc
