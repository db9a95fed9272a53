#include "service/http/connection_pool.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/http/framing.h"
#include "service/http/http1_connection.h"
#include "service/http/http2_connection.h"

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
  if (draining_) return exchange->Finish(Draining());
  if (waiting_.empty() && Place(exchange)) return PublishStats();
  if (waiting_.size() >= options_.most_waiting) {
    return exchange->Finish(Refuse(Reason::kQueueFull,
                                   fmt::format("{} calls wait for a connection to {} already; send fewer at a time.",
                                               waiting_.size(), upstream_.portal.ToString()),
                                   {.retry_after = kRetryAfter}));
  }
  waiting_.push_back(exchange);
  exchange->Arm();
  Serve();
}

bool ConnectionPool::Place(const std::shared_ptr<Exchange>& exchange) {
  while (!ready_.empty() && placed_ < upstream_.most_connections) {
    const std::shared_ptr<Connection> connection = ready_.back().connection;
    if (connection->room() > 0 && connection->Start(exchange)) {
      ++placed_;
      exchange->Arm();
      if (connection->room() == 0) ready_.pop_back();
      return true;
    }
    ready_.pop_back();
  }
  return false;
}

void ConnectionPool::OnOutcomes(const std::shared_ptr<Connection>& connection,
                                std::span<Connection::Outcome> outcomes) {
  placed_ -= outcomes.size();
  for (Connection::Outcome& outcome : outcomes | std::views::reverse) {  // so that those that wait keep their order
    if (outcome.repeat) {
      outcome.exchange->set_connection(nullptr);
      outcome.exchange->set_delivery(Delivery::kNotSent);
      waiting_.push_front(std::move(outcome.exchange));
    } else if (outcome.response.ok()) {
      last_success_ = clock_.Now();
    } else if (!IsRefusal(outcome.response.status(), Reason::kQueueFull)) {  // no room here is no fault of the portal's
      last_failure_ = clock_.Now();
    }
  }
  Settle(connection);
  PublishStats();  // before anyone goes on
  for (Connection::Outcome& outcome : outcomes) {
    if (outcome.exchange != nullptr) outcome.exchange->Finish(std::move(outcome.response));
  }
  Serve();
}

void ConnectionPool::EndEarly(std::shared_ptr<Exchange> exchange, absl::Status why) {
  if (const std::shared_ptr<Connection> connection = exchange->connection(); connection != nullptr) {
    --placed_;
    connection->Drop(*exchange);
    Settle(connection);
  } else {
    std::erase(waiting_, exchange);
  }
  PublishStats();
  exchange->Finish(std::move(why));
  Serve();
}

void ConnectionPool::Settle(const std::shared_ptr<Connection>& connection) {
  if (connection->over()) return Close(connection);
  const auto listed =
      std::find_if(ready_.begin(), ready_.end(), [&](const Ready& each) { return each.connection == connection; });
  if (connection->room() == 0) {
    if (listed != ready_.end()) ready_.erase(listed);
    return;
  }
  if (listed != ready_.end()) {
    listed->since = clock_.Monotonic();
  } else {
    ready_.push_back({.connection = connection, .since = clock_.Monotonic()});
  }
  if (close_stale_ == EventLoop::Timer{}) {
    close_stale_ = loop_.AddTimer(clock_.Monotonic() + options_.most_idle, [this] { CloseStale(); });
  }
}

void ConnectionPool::Serve() {
  while (!waiting_.empty() && Place(waiting_.front())) waiting_.pop_front();
  while (WantsConnection()) Connect();
  PublishStats();
}

bool ConnectionPool::WantsConnection() const {
  const std::size_t open = connections_.size() + attempts_.size();
  if (draining_ || open >= upstream_.most_connections || placed_ >= upstream_.most_connections) return false;
  if (!multiplexes_) return waiting_.size() > attempts_.size();
  return !waiting_.empty() && attempts_.empty() &&
         std::none_of(connections_.begin(), connections_.end(), [](const auto& each) { return each->starting(); });
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
  if (!status.ok()) {
    spare_.push_back(std::move(tls));
    OnConnectFailed(status);
    return Serve();
  }
  multiplexes_ = tls->multiplexes();
  if (multiplexes_) attempts_.clear();  // begun before that was known
  std::shared_ptr<Connection> connection;
  if (multiplexes_) {
    connection =
        std::make_shared<Http2Connection>(std::move(tls), options_.most_exchanges, upstream_, *this, clock_, loop_);
  } else {
    connection = std::make_shared<Http1Connection>(std::move(tls), options_.most_exchanges, upstream_, *this, loop_);
  }
  connections_.insert(connection);
  connection->Open();
  Settle(connection);
  Serve();
  if (connection->exchanges() == 0) connection->set_kept();  // not needed at once
}

void ConnectionPool::OnConnectFailed(const absl::Status& status) {
  last_failure_ = clock_.Now();
  // One attempt was made for each that waits; the one whose turn it is fails, unless another attempt is for it. By
  // HTTP/2 one attempt was made for all.
  std::vector<std::shared_ptr<Exchange>> failed;
  while (waiting_.size() > attempts_.size() && (failed.empty() || (multiplexes_ && connections_.empty()))) {
    failed.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  PublishStats();
  for (const auto& exchange : failed) exchange->Finish(status);
}

void ConnectionPool::Close(const std::shared_ptr<Connection>& connection) {
  std::erase_if(ready_, [&](const Ready& each) { return each.connection == connection; });
  connections_.erase(connection);
  PublishStats();  // before the portal sees it
  spare_.push_back(connection->Close().tls);
}

void ConnectionPool::CloseStale() {
  close_stale_ = {};
  const absl::Duration now = clock_.Monotonic();
  std::vector<std::shared_ptr<Connection>> stale;
  absl::Duration next = absl::InfiniteDuration();
  for (const Ready& each : ready_) {
    const bool idle = each.connection->exchanges() == 0;
    if (idle && each.since + options_.most_idle <= now) {
      stale.push_back(each.connection);
    } else {
      next = std::min(next, idle ? each.since + options_.most_idle : now + options_.most_idle);
    }
  }
  for (const auto& connection : stale) Close(connection);
  if (next < absl::InfiniteDuration()) close_stale_ = loop_.AddTimer(next, [this] { CloseStale(); });
}

void ConnectionPool::Shutdown() {
  loop_.CancelTimer(std::exchange(close_stale_, {}));
  draining_ = true;
  ready_.clear();
  std::vector<std::shared_ptr<Exchange>> ended(waiting_.begin(), waiting_.end());
  waiting_.clear();
  for (const auto& connection : std::exchange(connections_, {})) {
    for (auto& exchange : connection->Close().exchanges) ended.push_back(std::move(exchange));
  }
  placed_ = 0;
  attempts_.clear();
  spare_.clear();
  for (const auto& exchange : ended) exchange->Finish(Draining());
  PublishStats();
}

PoolStats ConnectionPool::stats() const {
  const MutexLock lock(mutex_);
  return stats_;
}

void ConnectionPool::PublishStats() {
  const PoolStats stats{
      .open = connections_.size() + attempts_.size(),
      .idle = static_cast<std::size_t>(std::count_if(
          ready_.begin(), ready_.end(), [](const Ready& each) { return each.connection->exchanges() == 0; })),
      .waiting = waiting_.size(),
      .last_success = last_success_,
      .last_failure = last_failure_};
  const MutexLock lock(mutex_);
  stats_ = stats;
}

}  // namespace lmbroker::http
