#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/server.h>

#include "service/rpc/call_queue.h"
#include "service/rpc/health_service.h"

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

  // A service whose calls come from the queue: a generated AsyncService with TakeCalls(CallQueue&).
  struct Served {
    template <class Service>
    Served(Service& served)  // NOLINT(google-explicit-constructor): a list of services is written as such
        : service(&served), take_calls([&served](CallQueue& queue) { served.TakeCalls(queue); }) {}

    grpc::Service* service;
    std::function<void(CallQueue&)> take_calls;
  };

  // Binds and serves, on a thread of its own that `loop` is lent to. The services and the loop must outlive the server.
  // Fails when the address cannot be had for ourselves alone or, with `reflection`, when gRPC's reflection library is
  // not installed.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options, http::EventLoop& loop,
                                                       const std::vector<Served>& services);
  // Like Drain with no grace.
  ~Server();

  // Host and port in use.
  const std::string& address() const { return address_; }

  // Health says NOT_SERVING from now on; calls are still taken (clients need a moment to notice).
  void Quiesce();
  // No new calls; those in flight may end within `grace`, then they are cancelled. Returns when none is left.
  void Drain(absl::Duration grace);

 private:
  Server();

  HealthService health_;
  std::unique_ptr<CallQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace lmbroker::rpc
