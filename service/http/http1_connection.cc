#include "service/http/http1_connection.h"

#include <sys/epoll.h>

#include <utility>

#include "service/base/secret.h"
#include "service/base/status_macros.h"
#include "service/http/unreachable.h"

namespace lmbroker::http {
namespace {

using State = IoResult::State;

}  // namespace

Http1Connection::Http1Connection(std::unique_ptr<TlsConnection> tls, std::size_t most_exchanges,
                                 const Upstream& upstream, Owner& owner, EventLoop& loop)
    : most_exchanges_(most_exchanges), upstream_(upstream), owner_(owner), loop_(loop), tls_(std::move(tls)) {}

void Http1Connection::Open() {
  // Edges, so that one registration serves the whole life of the connection.
  loop_.Watch(tls_->socket(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *this);
}

bool Http1Connection::Start(const std::shared_ptr<Exchange>& exchange) {
  exchange_ = exchange;
  exchange_->set_connection(shared_from_this());
  parser_.emplace(exchange_->reply());
  if (started_++ > 0) set_kept();
  send_broken_ = !exchange_->Send(*tls_);
  if (send_broken_) PostAnotherTurn();  // a reply may be there nevertheless
  return true;
}

void Http1Connection::Drop(Exchange&) {
  exchange_.reset();
  over_ = true;  // the rest of the reply would be taken for another's
}

void Http1Connection::OnTaken(const Exchange& exchange, std::size_t) {
  if (exchange.full()) PostAnotherTurn();  // nothing was read while it was
}

Connection::Remains Http1Connection::Close() {
  over_ = true;
  Remains remains;
  if (tls_ != nullptr) tls_->Close();
  remains.tls = std::move(tls_);
  if (exchange_ != nullptr) remains.exchanges.push_back(std::move(exchange_));
  return remains;
}

void Http1Connection::OnEvents(int, std::uint32_t) {
  if (tls_ == nullptr || over_) return;
  if (exchange_ != nullptr) {
    Advance();
  } else if (!IsQuiet()) {
    over_ = true;
    owner_.OnOutcomes(shared_from_this(), {});
  }
}

bool Http1Connection::IsQuiet() {
  ReadBuffer buffer;
  // TLS session tickets make a socket readable too; OpenSSL takes them in and then finds nothing.
  return tls_->Receive(buffer).state == State::kAgain;
}

void Http1Connection::Advance() {
  if (!send_broken_) send_broken_ = !exchange_->Send(*tls_);
  if (exchange_->full()) return;  // OnTaken goes on
  const std::shared_ptr<Exchange> exchange = exchange_;
  const absl::StatusOr<State> read = ReadReply();
  if (!read.ok()) {
    over_ = true;
    exchange->Deliver();
    return End(read.status());
  }
  if (*read == State::kDone) {
    if (!exchange->full()) PostAnotherTurn();
    return exchange->Deliver();
  }
  if (parser_->done()) {
    over_ = *read != State::kAgain || !parser_->reusable() || !exchange->all_sent() || send_broken_ ||
            started_ >= most_exchanges_;
    Response response = exchange->TakeResponse();
    exchange->Deliver();
    return End(std::move(response));
  }
  exchange->Deliver();
  if (*read == State::kAgain && !send_broken_) return;
  over_ = true;
  End(Unreachable(upstream_.portal, send_broken_ ? Phase::kSend : Phase::kReceive,
                  exchange->reply().started() ? "the connection ended in the middle of its reply"
                                              : "the connection ended before its reply"),
      /*repeat=*/exchange->delivery() == Delivery::kNotSent && kept());
}

absl::StatusOr<State> Http1Connection::ReadReply() {
  ReplyParser& parser = *parser_;  // NOLINT(bugprone-unchecked-optional-access): Start made it
  ReadBuffer buffer;
  for (int i = 0; i < kReadsPerTurn && !exchange_->full(); ++i) {
    const IoResult io = tls_->Receive(buffer);
    if (io.state == State::kClosed) parser.EndOfStream();
    if (io.state != State::kDone) return io.state;
    // Bytes that came before our first one answer something else.
    if (exchange_->delivery() == Delivery::kNotSent) return State::kBroken;
    const absl::Status fed = parser.Feed({buffer.data(), io.bytes});
    Wipe(buffer.data(), io.bytes);  // the reply to a token's creation holds its key
    RETURN_IF_ERROR(fed);
    if (parser.done() && !parser.reusable()) return State::kBroken;
  }
  return State::kDone;
}

void Http1Connection::End(absl::StatusOr<Response> response, bool repeat) {
  Outcome outcome{.exchange = std::move(exchange_), .response = std::move(response), .repeat = repeat};
  owner_.OnOutcomes(shared_from_this(), {&outcome, 1});
}

void Http1Connection::PostAnotherTurn() {
  loop_.Post([self = shared_from_this()] { self->OnEvents(-1, 0); });
}

}  // namespace lmbroker::http
