#pragma once

#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <span>
#include <unordered_set>
#include <vector>

#include <absl/time/time.h>

#include "service/base/byte_budget.h"
#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/http/connection.h"
#include "service/http/exchange.h"
#include "service/http/trust_store.h"
#include "service/http/upstream.h"

namespace lmbroker::http {

struct ConnectionPoolOptions {
  absl::Duration connect_timeout = absl::Seconds(10);  // look-up, TCP and TLS together
  absl::Duration most_idle = absl::Seconds(50);        // below the 60 s after which many servers close
  std::size_t most_exchanges = 10'000;                 // on one connection
  std::size_t most_waiting = 4096;                     // exchanges that wait for a connection
  ByteBudget* memory = nullptr;                        // counts replies that are not streamed; null: nobody does
};

// What GetStatus says of a portal's connections.
struct PoolStats {
  std::size_t open = 0;                            // connected or being connected
  std::size_t idle = 0;                            // of these, without an exchange
  std::size_t waiting = 0;                         // exchanges without a connection
  absl::Time last_success = absl::InfinitePast();  // a whole reply came
  absl::Time last_failure = absl::InfinitePast();  // no connection, or it ended before the reply
};

// The connections to one portal. An exchange takes the connection used last that has room, or waits until there is one.
// Connections are made on demand, up to the upstream's limit, which bounds the exchanges under way, too. By HTTP/2 one
// connection carries many; whether a portal speaks it is known from the first connection that was made.
//
// On the loop's thread, except for stats().
class ConnectionPool final : public Connection::Owner, public Exchange::Owner {
 public:
  // Everything given must outlive the pool.
  ConnectionPool(Upstream upstream, TrustStore trust, const ConnectionPoolOptions& options, const Clock& clock,
                 EventLoop& loop);

  // See Client::Send.
  void Send(OutgoingRequest request, SendOptions options, Client::Done done);

  // Ends every exchange with DRAINING and every connection. Later ones are refused. Must have run before the pool is
  // destroyed.
  void Shutdown();

  // From any thread.
  PoolStats stats() const;

 private:
  using Attempts = std::list<std::unique_ptr<TlsConnection>>;
  struct Ready {
    std::shared_ptr<Connection> connection;
    absl::Duration since;  // when it was used last
  };

  void OnOutcomes(const std::shared_ptr<Connection>& connection, std::span<Connection::Outcome> outcomes) override;
  void EndEarly(std::shared_ptr<Exchange> exchange, absl::Status why) override;
  // Lays a connection that was used ready for the next exchange, or closes it.
  void Settle(const std::shared_ptr<Connection>& connection);
  // Gives waiting exchanges to connections with room, and makes connections for the rest.
  void Serve();
  // False when it has to wait.
  bool Place(const std::shared_ptr<Exchange>& exchange);
  bool WantsConnection() const;
  void Connect();
  void OnConnected(Attempts::iterator attempt, absl::Status status);
  void OnConnectFailed(const absl::Status& status);
  void Close(const std::shared_ptr<Connection>& connection);
  void CloseStale();
  void PublishStats();

  const Upstream upstream_;
  const TrustStore trust_;
  const ConnectionPoolOptions options_;
  const Clock& clock_;
  EventLoop& loop_;

  std::unordered_set<std::shared_ptr<Connection>> connections_;  // every open one
  std::vector<Ready> ready_;                                     // of these, those with room; used last at the back
  Attempts attempts_;                                            // being connected
  std::vector<std::unique_ptr<TlsConnection>> spare_;            // closed; their next use resumes the TLS session
  std::deque<std::shared_ptr<Exchange>> waiting_;
  std::size_t placed_ = 0;    // exchanges on connections
  bool multiplexes_ = false;  // by the last connection that was made
  bool draining_ = false;
  EventLoop::Timer close_stale_;
  absl::Time last_success_ = absl::InfinitePast();
  absl::Time last_failure_ = absl::InfinitePast();

  mutable Mutex mutex_;
  PoolStats stats_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lmbroker::http
