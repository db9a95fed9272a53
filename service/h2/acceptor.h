#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/clock.h"
#include "service/base/descriptor.h"
#include "service/base/listener.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/h2/connection_count.h"

namespace lmbroker::h2 {

// A caller's connection, not yet spoken to.
struct Accepted {
  Descriptor socket;
  ConnectionCount::Place place;
};

// Accepts callers' connections, as many as there may be at a time (law 7), and closes every other one at once.
class Acceptor {
 public:
  struct Parts {
    const Clock& clock;
    Logger& logger;
    Metrics& metrics;
  };
  // Takes a connection over. On the acceptor's thread.
  using Take = absl::AnyInvocable<void(Accepted)>;

  // Binds to `address` (see Listener::Open); callers wait until Start. The parts must outlive the acceptor.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Open(std::string_view address, std::size_t most_connections,
                                                        const Parts& parts);
  // Like Stop.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Host and port in use.
  const std::string& address() const { return address_; }

  // Accepts on a thread of its own from now on; once.
  void Start(Take take);
  // Refuses connections from now on. Returns when `take` is not called any more.
  void Stop();

  // How many of the connections that were handed over are open. Safe for concurrent use.
  std::size_t connections() const { return count_.open(); }

 private:
  Acceptor(Listener listener, std::size_t most_connections, const Parts& parts);
  void Run();
  void Refused();

  const Parts parts_;
  const std::string address_;
  const std::size_t most_connections_;
  ConnectionCount count_;
  std::optional<Listener> listener_;  // none: stopped
  Take take_;
  absl::Duration last_said_ = -absl::InfiniteDuration();
  std::thread thread_;
};

}  // namespace lmbroker::h2
