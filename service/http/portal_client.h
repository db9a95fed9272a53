#pragma once

#include <map>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "service/base/clock.h"
#include "service/http/client.h"
#include "service/http/connection_pool.h"
#include "service/http/event_loop.h"
#include "service/http/upstream.h"

namespace lmbroker::http {

// The client that reaches real portals: HTTP/2 or HTTP/1.1 over kept TLS connections (1.2 or newer, peer and host name
// always verified, no proxy, no redirect). A portal is reached at its configured host alone.
//
// All of it happens on the loop's thread, where every `done` runs that Send does not run at once: it must not block.
class PortalClient final : public Client {
 public:
  // Fails, naming every problem, when an upstream cannot be used as it is configured. From then on the process ignores
  // SIGPIPE: OpenSSL writes to sockets in a way that raises it. The clock and the loop must outlive the client.
  static absl::StatusOr<std::unique_ptr<PortalClient>> Create(const ConnectionPoolOptions& options,
                                                              std::vector<Upstream> upstreams, const Clock& clock,
                                                              EventLoop& loop);
  // Ends the transfers under way with DRAINING, then returns. No Send may run from elsewhere meanwhile. Not on the
  // loop's thread.
  ~PortalClient() override;

  void Send(OutgoingRequest request, SendOptions options, Done done) override;

  // By portal.
  std::map<PortalName, PoolStats> Stats() const;

 private:
  PortalClient(const Clock& clock, EventLoop& loop) : clock_(clock), loop_(loop) {}

  const Clock& clock_;
  EventLoop& loop_;
  std::map<PortalName, std::unique_ptr<ConnectionPool>> pools_;  // not changed once the client is made
};

}  // namespace lmbroker::http
