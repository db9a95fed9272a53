#include "service/http/connection.h"

#include <sys/epoll.h>

#include <array>
#include <utility>

#include "service/base/secret.h"
#include "service/base/status_macros.h"
#include "service/http/unreachable.h"

namespace lmbroker::http {
namespace {

using State = IoResult::State;

// One TLS record at a time; up to 1 MiB before other connections get their turn.
constexpr int kReadsPerTurn = 64;
using ReadBuffer = std::array<char, kTlsRecordBytes>;

}  // namespace

Connection::Connection(std::unique_ptr<TlsConnection> tls, std::size_t most_exchanges, const Upstream& upstream,
                       Owner& owner, EventLoop& loop)
    : most_exchanges_(most_exchanges), upstream_(upstream), owner_(owner), loop_(loop), tls_(std::move(tls)) {}

void Connection::StartWatching() {
  const MutexLock lock(mutex_);
  // Edges, so that one registration serves the whole life of the connection.
  loop_.Watch(tls_->socket(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *this);
}

bool Connection::Start(const std::shared_ptr<Exchange>& exchange, bool kept) {
  const MutexLock lock(mutex_);
  if (tls_ == nullptr) return false;
  exchange_ = exchange;
  exchange_->set_connection(shared_from_this());
  ++exchanges_;
  kept_ = kept;
  send_broken_ = !exchange_->Send(*tls_);
  if (send_broken_) PostAnotherTurn();  // a reply may be there nevertheless; the loop judges
  exchange_->Arm();
  return true;
}

Connection::Remains Connection::Close() {
  const MutexLock lock(mutex_);
  if (tls_ != nullptr) tls_->Close();
  return {.tls = std::move(tls_), .exchange = std::move(exchange_)};
}

void Connection::OnEvents(int, std::uint32_t) {
  std::optional<Outcome> outcome;
  std::shared_ptr<Exchange> streaming;
  {
    const MutexLock lock(mutex_);
    if (tls_ == nullptr) return;
    if (exchange_ != nullptr) {
      if (exchange_->streaming()) streaming = exchange_;
      outcome = Advance();
    } else if (!IsQuiet()) {
      outcome.emplace();
    }
  }
  if (streaming != nullptr) streaming->Deliver();
  if (outcome.has_value()) owner_.OnOutcome(shared_from_this(), *std::move(outcome));
}

bool Connection::IsQuiet() {
  ReadBuffer buffer;
  // TLS session tickets make a socket readable too; OpenSSL takes them in and then finds nothing.
  return tls_->Receive(buffer).state == State::kAgain;
}

std::optional<Connection::Outcome> Connection::Advance() {
  if (!send_broken_) send_broken_ = !exchange_->Send(*tls_);
  if (exchange_->full()) return std::nullopt;  // Resume goes on
  const absl::StatusOr<State> read = ReadReply();
  if (!read.ok()) return End(read.status());
  if (*read == State::kDone) {
    if (!exchange_->full()) PostAnotherTurn();
    return std::nullopt;
  }
  ReplyParser& reply = exchange_->reply();
  if (reply.done()) {
    const bool kept = *read == State::kAgain && reply.reusable() && exchange_->all_sent() && !send_broken_ &&
                      exchanges_ < most_exchanges_;
    Outcome outcome = End(exchange_->TakeResponse());
    outcome.kept = kept;
    return outcome;
  }
  if (*read == State::kAgain && !send_broken_) return std::nullopt;
  const bool nothing_left = exchange_->delivery() == Delivery::kNotSent;
  Outcome outcome = End(Unreachable(
      upstream_.portal, send_broken_ ? Phase::kSend : Phase::kReceive,
      reply.started() ? "the connection ended in the middle of its reply" : "the connection ended before its reply"));
  outcome.repeat = nothing_left && kept_;
  return outcome;
}

absl::StatusOr<State> Connection::ReadReply() {
  ReplyParser& reply = exchange_->reply();
  ReadBuffer buffer;
  for (int i = 0; i < kReadsPerTurn && !exchange_->full(); ++i) {
    const IoResult io = tls_->Receive(buffer);
    if (io.state == State::kClosed) reply.EndOfStream();
    if (io.state != State::kDone) return io.state;
    // Bytes that came before our first one answer something else.
    if (exchange_->delivery() == Delivery::kNotSent) return State::kBroken;
    const absl::Status fed = reply.Feed({buffer.data(), io.bytes});
    Wipe(buffer.data(), io.bytes);  // the reply to a token's creation holds its key
    RETURN_IF_ERROR(fed);
    if (reply.done() && !reply.reusable()) return State::kBroken;
  }
  return State::kDone;
}

Connection::Outcome Connection::End(absl::StatusOr<Response> response) {
  return {.exchange = std::move(exchange_), .response = std::move(response)};
}

void Connection::PostAnotherTurn() {
  loop_.Post([self = shared_from_this()] { self->OnEvents(-1, 0); });
}

}  // namespace lmbroker::http
