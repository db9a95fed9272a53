#include "service/http/connection_pool.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/http/framing.h"
#include "service/http/unreachable.h"

namespace lmbroker::http {
namespace {

// For who finds no place in the queue for a connection.
constexpr absl::Duration kRetryAfter = absl::Milliseconds(200);

absl::Status Draining() {
  return Refuse(Reason::kDraining, "The broker is shutting down; send the call to another one, or again later.");
}

}  // namespace

ConnectionPool::ConnectionPool(Upstream upstream, TrustStore trust, const ConnectionPoolOptions& options,
                               const Clock& clock, EventLoop& loop)
    : upstream_(std::move(upstream)), trust_(std::move(trust)), options_(options), clock_(clock), loop_(loop) {}

void ConnectionPool::Send(OutgoingRequest request, SendOptions options, Client::Done done) {
  absl::StatusOr<WireRequest> wire = Frame(request, upstream_);
  if (!wire.ok()) return done({.response = wire.status()});
  // What is streamed has a buffer of fixed size, which the receiver counts.
  ByteLease memory = options_.memory == nullptr || options.streaming ? ByteLease() : ByteLease(*options_.memory);
  const auto exchange = std::make_shared<Exchange>(*std::move(wire), std::move(request), std::move(options),
                                                   std::move(memory), std::move(done), *this, loop_);
  while (true) {
    const auto connection = TakeIdleOrWait(exchange);
    if (!connection.ok()) return exchange->Finish(connection.status());
    if (*connection == nullptr || (*connection)->Start(exchange, /*kept=*/true)) return;
  }
}

absl::StatusOr<std::shared_ptr<Connection>> ConnectionPool::TakeIdleOrWait(const std::shared_ptr<Exchange>& exchange) {
  const MutexLock lock(mutex_);
  if (draining_) return Draining();
  if (!idle_.empty() && waiting_.empty()) {
    std::shared_ptr<Connection> connection = std::move(idle_.back().connection);
    idle_.pop_back();
    return connection;
  }
  if (waiting_.size() >= options_.most_waiting) {
    return Refuse(Reason::kQueueFull,
                  fmt::format("{} calls wait for a connection to {} already; send fewer at a time.", waiting_.size(),
                              upstream_.portal.ToString()),
                  {.retry_after = kRetryAfter});
  }
  waiting_.push_back(exchange);
  exchange->Arm();
  if (open_ < upstream_.most_connections || !idle_.empty()) loop_.Post([this] { Serve(); });
  return nullptr;
}

void ConnectionPool::OnOutcome(std::shared_ptr<Connection> connection, Connection::Outcome outcome) {
  if (outcome.kept) {
    Offer(connection, /*kept=*/true);
  } else {
    Close(connection);
  }
  if (outcome.repeat) {
    outcome.exchange->set_connection(nullptr);
    const MutexLock lock(mutex_);
    waiting_.push_front(std::move(outcome.exchange));
  } else if (outcome.exchange != nullptr) {
    if (outcome.response.ok()) {
      NoteSuccess();
    } else if (!IsRefusal(outcome.response.status(), Reason::kQueueFull)) {  // no room here is no fault of the portal's
      NoteFailure();
    }
    outcome.exchange->Finish(std::move(outcome.response));
  }
  Serve();
}

void ConnectionPool::EndEarly(std::shared_ptr<Exchange> exchange, absl::Status why) {
  if (exchange->connection() != nullptr) {
    Close(exchange->connection());
  } else {
    const MutexLock lock(mutex_);
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), exchange));
  }
  exchange->Finish(std::move(why));
  Serve();
}

void ConnectionPool::Offer(const std::shared_ptr<Connection>& connection, bool kept) {
  std::shared_ptr<Exchange> next;
  {
    const MutexLock lock(mutex_);
    if (waiting_.empty()) {
      idle_.push_back({.connection = connection, .since = clock_.Monotonic()});
    } else {
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
  }
  if (next != nullptr) {
    connection->Start(next, kept);
  } else if (close_stale_ == EventLoop::Timer{}) {
    close_stale_ = loop_.AddTimer(clock_.Monotonic() + options_.most_idle, [this] { CloseStale(); });
  }
}

void ConnectionPool::Serve() {
  while (const auto match = TakeMatch()) match->connection->Start(match->exchange, /*kept=*/true);
  while (true) {
    {
      const MutexLock lock(mutex_);
      if (draining_ || waiting_.size() <= attempts_.size() || open_ >= upstream_.most_connections) return;
      ++open_;
    }
    Connect();
  }
}

std::optional<ConnectionPool::Match> ConnectionPool::TakeMatch() {
  const MutexLock lock(mutex_);
  if (idle_.empty() || waiting_.empty()) return std::nullopt;
  Match match{.exchange = std::move(waiting_.front()), .connection = std::move(idle_.back().connection)};
  waiting_.pop_front();
  idle_.pop_back();
  return match;
}

void ConnectionPool::Connect() {
  std::unique_ptr<TlsConnection> tls;
  if (spare_.empty()) {
    auto created = TlsConnection::Create(upstream_, trust_, clock_, loop_);
    if (!created.ok()) return OnConnectFailed(created.status());
    tls = *std::move(created);
  } else {
    tls = std::move(spare_.back());
    spare_.pop_back();
  }
  const auto attempt = attempts_.insert(attempts_.end(), std::move(tls));
  (*attempt)->Connect(options_.connect_timeout,
                      [this, attempt](absl::Status status) { OnConnected(attempt, std::move(status)); });
}

void ConnectionPool::OnConnected(Attempts::iterator attempt, absl::Status status) {
  std::unique_ptr<TlsConnection> tls = std::move(*attempt);
  attempts_.erase(attempt);
  if (status.ok()) {
    const auto connection =
        std::make_shared<Connection>(std::move(tls), options_.most_exchanges, upstream_, *this, loop_);
    connections_.insert(connection);
    connection->StartWatching();
    Offer(connection, /*kept=*/false);
  } else {
    spare_.push_back(std::move(tls));
    OnConnectFailed(status);
  }
  Serve();
}

void ConnectionPool::OnConnectFailed(const absl::Status& status) {
  NoteFailure();
  std::shared_ptr<Exchange> failed;
  {
    const MutexLock lock(mutex_);
    --open_;
    // One attempt was made for each that waits; the one whose turn it is fails, unless another attempt is for it.
    if (waiting_.size() > attempts_.size()) {
      failed = std::move(waiting_.front());
      waiting_.pop_front();
    }
  }
  if (failed != nullptr) failed->Finish(status);
}

void ConnectionPool::Close(const std::shared_ptr<Connection>& connection) {
  {
    const MutexLock lock(mutex_);
    std::erase_if(idle_, [&](const IdleConnection& idle) { return idle.connection == connection; });
    --open_;
  }
  connections_.erase(connection);
  spare_.push_back(connection->Close().tls);
}

void ConnectionPool::CloseStale() {
  close_stale_ = {};
  const absl::Duration stale_since = clock_.Monotonic() - options_.most_idle;
  std::vector<std::shared_ptr<Connection>> stale;
  {
    const MutexLock lock(mutex_);
    auto fresh = idle_.begin();
    for (; fresh != idle_.end() && fresh->since <= stale_since; ++fresh) stale.push_back(fresh->connection);
    idle_.erase(idle_.begin(), fresh);
    if (!idle_.empty()) {
      close_stale_ = loop_.AddTimer(idle_.front().since + options_.most_idle, [this] { CloseStale(); });
    }
  }
  for (const auto& connection : stale) Close(connection);
}

void ConnectionPool::Shutdown() {
  loop_.CancelTimer(std::exchange(close_stale_, {}));
  std::deque<std::shared_ptr<Exchange>> ended;
  {
    const MutexLock lock(mutex_);
    draining_ = true;
    ended.swap(waiting_);
    idle_.clear();
    open_ = 0;
  }
  for (const auto& connection : connections_) {
    Connection::Remains remains = connection->Close();
    if (remains.exchange != nullptr) ended.push_back(std::move(remains.exchange));
  }
  connections_.clear();
  attempts_.clear();
  spare_.clear();
  for (const auto& exchange : ended) exchange->Finish(Draining());
}

PoolStats ConnectionPool::stats() const {
  const MutexLock lock(mutex_);
  return {.open = open_,
          .idle = idle_.size(),
          .waiting = waiting_.size(),
          .last_success = last_success_,
          .last_failure = last_failure_};
}

void ConnectionPool::NoteSuccess() {
  const MutexLock lock(mutex_);
  last_success_ = clock_.Now();
}

void ConnectionPool::NoteFailure() {
  const MutexLock lock(mutex_);
  last_failure_ = clock_.Now();
}

}  // namespace lmbroker::http
