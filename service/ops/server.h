#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "service/ops/readiness.h"

namespace lmbroker::ops {

// The plain HTTP listener for operators: GET /livez (200 while the process can answer), GET /readyz (200 or 503 and
// JSON, see Readiness), GET /metrics (Prometheus text); anything else is 404 or 405. It shows no secrets and asks for
// no identity: it belongs on loopback or on a pod network. Bounded: eight threads, one request a connection, 16 KiB and
// two seconds for it.
class Server {
 public:
  struct Options {
    std::string address;                   // HOST:PORT; port 0 takes any free one
    std::string address_file;              // receives the HOST:PORT in use; none when empty
    std::vector<Check> checks;             // of /readyz, in this order
    std::function<std::string()> metrics;  // the text of /metrics; safe for concurrent use
  };

  // Listens when it returns.
  static absl::StatusOr<std::unique_ptr<Server>> Open(Options options);
  // Answers what was accepted, then ends.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The HOST:PORT in use.
  const std::string& address() const;

 private:
  class State;
  explicit Server(std::unique_ptr<State> state);

  const std::unique_ptr<State> state_;
};

}  // namespace lmbroker::ops
