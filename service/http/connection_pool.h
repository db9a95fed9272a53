#pragma once

#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <optional>
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

// The connections to one portal. An exchange takes the idle connection used last, or waits until one is free or newly
// made. Connections are made on demand, up to the upstream's limit.
//
// Locks: this pool's mutex and a connection's are never held together; the loop's may be taken under either.
class ConnectionPool final : public Connection::Owner, public Exchange::Owner {
 public:
  // Everything given must outlive the pool.
  ConnectionPool(Upstream upstream, TrustStore trust, const ConnectionPoolOptions& options, const Clock& clock,
                 EventLoop& loop);

  // From any thread. See Client::Send.
  void Send(OutgoingRequest request, SendOptions options, Client::Done done);

  // On the loop's thread: ends every exchange with DRAINING and every connection. Later ones are refused. Must have run
  // before the pool is destroyed.
  void Shutdown();

  // From any thread.
  PoolStats stats() const;

 private:
  using Attempts = std::list<std::unique_ptr<TlsConnection>>;
  struct IdleConnection {
    std::shared_ptr<Connection> connection;
    absl::Duration since;
  };
  struct Match {
    std::shared_ptr<Exchange> exchange;
    std::shared_ptr<Connection> connection;
  };

  // An idle connection; or null, and then `exchange` waits. A refusal when it may not.
  absl::StatusOr<std::shared_ptr<Connection>> TakeIdleOrWait(const std::shared_ptr<Exchange>& exchange);

  // All below on the loop's thread.
  void OnOutcome(std::shared_ptr<Connection> connection, Connection::Outcome outcome) override;
  void EndEarly(std::shared_ptr<Exchange> exchange, absl::Status why) override;
  // Gives a free connection to the next exchange, or lays it aside.
  void Offer(const std::shared_ptr<Connection>& connection, bool kept);
  // Brings waiting exchanges and idle connections together, and makes connections for the rest.
  void Serve();
  std::optional<Match> TakeMatch();
  void Connect();
  void OnConnected(Attempts::iterator attempt, absl::Status status);
  void OnConnectFailed(const absl::Status& status);
  void Close(const std::shared_ptr<Connection>& connection);
  void CloseStale();
  void NoteSuccess();
  void NoteFailure();

  const Upstream upstream_;
  const TrustStore trust_;
  const ConnectionPoolOptions options_;
  const Clock& clock_;
  EventLoop& loop_;

  // On the loop's thread only.
  std::unordered_set<std::shared_ptr<Connection>> connections_;  // every open one
  Attempts attempts_;                                            // being connected
  std::vector<std::unique_ptr<TlsConnection>> spare_;            // closed; their next use resumes the TLS session
  EventLoop::Timer close_stale_;

  mutable Mutex mutex_;
  std::vector<IdleConnection> idle_ ABSL_GUARDED_BY(mutex_);  // used last at the back
  std::deque<std::shared_ptr<Exchange>> waiting_ ABSL_GUARDED_BY(mutex_);
  std::size_t open_ ABSL_GUARDED_BY(mutex_) = 0;  // connections_ and attempts_ together
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time last_success_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Time last_failure_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace lmbroker::http
