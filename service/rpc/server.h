#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/h2/acceptor.h"
#include "service/h2/door.h"
#include "service/rpc/health_service.h"
#include "service/rpc/method.h"
#include "service/rpc/reflection_service.h"

namespace lmbroker::rpc {

class Callers;

// The gRPC listener: TLS with client certificates, HTTP/2, health, and reflection only where it is asked for.
class Server {
 public:
  struct Options {
    std::string address;  // "127.0.0.1:8443"; port 0 = any
    bool reflection = false;
    std::size_t most_request_bytes = 8 << 20;  // of a body; a message may be a little larger
    std::size_t most_connections = 2048;
    absl::Duration connection_age = absl::Hours(1);    // then callers are asked to make a new connection
    std::size_t most_calls = 512;                      // on one connection at a time; more wait at the client
    std::size_t most_calls_in_all = 16384;             // from their heads until their answers are read
    std::size_t most_unread = std::size_t{256} << 20;  // bytes of requests that have not come whole, in all
  };

  // What the server works with. All of it must outlive the server.
  struct Parts {
    http::EventLoop& loop;  // that calls come and go on
    const Clock& clock;
    Logger& logger;
    Metrics& metrics;
    h2::Door::Tls tls;  // what the next connection is made with
  };

  // A service: something with AddTo(Methods&).
  struct Served {
    template <class Service>
    Served(Service& served)  // NOLINT(google-explicit-constructor): a list of services is written as such
        : add_to([&served](Methods& methods) { served.AddTo(methods); }) {}

    std::function<void(Methods&)> add_to;
  };

  // Binds and serves. The services must outlive the server. Fails when the address cannot be had for ourselves alone.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options, const Parts& parts,
                                                       const std::vector<Served>& services);
  // Like Drain with no grace.
  ~Server();

  // Host and port in use.
  const std::string& address() const { return acceptor_->address(); }
  // How many callers' connections are open.
  std::size_t connections() const { return acceptor_->connections(); }

  // Health says NOT_SERVING from now on; calls are still taken (clients need a moment to notice).
  void Quiesce();
  // No new calls; those in flight may end within `grace`, then they are cancelled. Returns when none is left.
  void Drain(absl::Duration grace);

 private:
  Server(const Options& options, const Parts& parts);

  const Parts parts_;
  Methods methods_;
  HealthService health_;
  ReflectionService reflection_;
  const std::unique_ptr<Callers> callers_;
  std::unique_ptr<h2::Acceptor> acceptor_;
  std::unique_ptr<h2::Door> door_;
  bool drained_ = false;
};

}  // namespace lmbroker::rpc
