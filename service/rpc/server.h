#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/server.h>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/rpc/acceptor.h"
#include "service/rpc/call_queue.h"
#include "service/rpc/health_service.h"

namespace lmbroker::rpc {

// The gRPC listener: TLS with client certificates, health, and reflection only where it is asked for.
class Server {
 public:
  struct Options {
    std::string address;  // "127.0.0.1:8443"; port 0 = any
    // PEM files, which are read again every second. Each must be replaced whole, and be good.
    std::string identity;              // the certificate, its intermediates, and its key
    std::string authorities;           // of callers' certificates
    bool require_certificates = true;  // of callers; else they are verified when given
    bool reflection = false;
    std::size_t most_request_bytes = 8 << 20;  // of a body; a message may be a little larger
    std::size_t most_reply_bytes = 32 << 20;
    std::size_t most_connections = 2048;
    absl::Duration connection_age = absl::Hours(1);      // then callers are asked to make a new connection
    std::size_t most_calls = 512;                        // on one connection at a time; more wait at the client
    std::size_t most_buffered = std::size_t{256} << 20;  // bytes of requests that have not come whole, in all
  };

  // What the server works with. All of it must outlive the server.
  struct Parts {
    http::EventLoop& loop;  // is lent to its thread
    const Clock& clock;
    Logger& logger;
    Metrics& metrics;
  };

  // A service whose calls come from the queue: a generated AsyncService with TakeCalls(CallQueue&).
  struct Served {
    template <class Service>
    Served(Service& served)  // NOLINT(google-explicit-constructor): a list of services is written as such
        : service(&served), take_calls([&served](CallQueue& queue) { served.TakeCalls(queue); }) {}

    grpc::Service* service;
    std::function<void(CallQueue&)> take_calls;
  };

  // Binds and serves, on a thread of its own that the loop is lent to. The services must outlive the server. Fails when
  // the address cannot be had for ourselves alone or, with `reflection`, when gRPC's reflection library is not
  // installed.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options, const Parts& parts,
                                                       const std::vector<Served>& services);
  // Like Drain with no grace.
  ~Server();

  // Host and port in use.
  const std::string& address() const { return acceptor_->address(); }
  // How many callers' connections are open.
  std::size_t connections() { return acceptor_->connections(); }

  // Health says NOT_SERVING from now on; calls are still taken (clients need a moment to notice).
  void Quiesce();
  // No new calls; those in flight may end within `grace`, then they are cancelled. Returns when none is left.
  void Drain(absl::Duration grace);

 private:
  Server();

  HealthService health_;
  std::unique_ptr<CallQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace lmbroker::rpc
