#include "service/http/http2_connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "service/base/secret.h"
#include "service/http/unreachable.h"

namespace lmbroker::http {
namespace {

using State = IoResult::State;

// A connection that was silent for so long when an exchange is given up may be dead, as TCP finds out after many
// minutes: what comes goes elsewhere.
constexpr absl::Duration kMostSilence = absl::Seconds(5);
constexpr std::size_t kMostUnsent = 2 * kTlsRecordBytes + 64;  // all but a record, and a frame

}  // namespace

Http2Connection::Http2Connection(std::unique_ptr<TlsConnection> tls, std::size_t most_exchanges,
                                 const Upstream& upstream, Owner& owner, const Clock& clock, EventLoop& loop)
    : upstream_(upstream),
      owner_(owner),
      clock_(clock),
      loop_(loop),
      tls_(std::move(tls)),
      session_(upstream, most_exchanges) {
  unsent_.reserve(kMostUnsent);
}

void Http2Connection::Open() {
  Watch();
  PostFlush();  // the preface
}

void Http2Connection::Watch(std::uint32_t more_events) {
  loop_.Watch(tls_->socket(), EPOLLIN | EPOLLRDHUP | more_events, *this);
}

bool Http2Connection::Start(const std::shared_ptr<Exchange>& exchange) {
  const std::int32_t stream = session_.Start(exchange);
  if (stream == 0) return false;
  if (std::exchange(used_, true)) set_kept();
  exchange->set_connection(shared_from_this(), stream);
  if (!silent_since_.has_value()) silent_since_ = clock_.Monotonic();
  PostFlush();
  return true;
}

void Http2Connection::Drop(Exchange& exchange) {
  // What lies ready goes out nevertheless.
  const bool begun =
      std::any_of(begun_.begin(), begun_.end(), [&](const auto& each) { return each.get() == &exchange; });
  if (begun) exchange.set_delivery(Delivery::kMaybeSent);
  session_.Cancel(exchange.stream());
  if (silent_since_.has_value() && clock_.Monotonic() - *silent_since_ >= kMostSilence) session_.Leave();
  over_ = over_ || (session_.streams() == 0 && session_.leaving());
  PostFlush();
}

void Http2Connection::OnTaken(const Exchange& exchange, std::size_t size) {
  session_.Consume(exchange.stream(), size);
  PostFlush();
}

Connection::Remains Http2Connection::Close() {
  over_ = true;
  if (tls_ != nullptr) tls_->Close();
  Wipe(unsent_.data(), unsent_.size());
  return {.tls = std::move(tls_), .exchanges = session_.TakeAll()};
}

void Http2Connection::OnEvents(int, std::uint32_t events) {
  if (tls_ == nullptr || over_) return;
  if (blocked_ && (events & EPOLLOUT) != 0) {
    blocked_ = false;
    Watch();
    PostFlush();
  }
  Settle(Read());
}

// Whatever came, what was waiting to be sent may have ended by it, too.
void Http2Connection::Settle(Progress progress) {
  std::vector<Outcome> outcomes = session_.TakeOutcomes();
  const bool lost = progress == Progress::kLost || (progress == Progress::kNothingLeft && send_broken_);
  if (lost || progress == Progress::kNotHttp2 || session_.over()) {
    over_ = true;
    for (auto& exchange : session_.TakeAll()) {
      const absl::Status why = lost ? Lost(*exchange) : NotHttp("it breaks HTTP/2's rules");
      const bool repeat = exchange->delivery() == Delivery::kNotSent && kept() && exchange->TryRepeat();
      outcomes.push_back({.exchange = std::move(exchange), .response = why, .repeat = repeat});
    }
  }
  over_ = over_ || (session_.streams() == 0 && session_.leaving());
  if (session_.WantsToSend()) PostFlush();
  for (const auto& exchange : session_.TakeNews()) exchange->Deliver();
  const bool has_room = room() > 0;
  const bool changed = std::exchange(had_room_, has_room) != has_room;
  if (over_ || !outcomes.empty() || changed) owner_.OnOutcomes(shared_from_this(), outcomes);
}

Http2Connection::Progress Http2Connection::Read() {
  ReadBuffer buffer;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const IoResult io = tls_->Receive(buffer);
    if (io.state == State::kAgain) return Progress::kNothingLeft;
    if (io.state != State::kDone) return Progress::kLost;
    const bool good = session_.Receive({buffer.data(), io.bytes});
    Wipe(buffer.data(), io.bytes);  // the reply to a token's creation holds its key
    if (!good) return Progress::kNotHttp2;
    silent_since_ = session_.streams() > 0 ? std::optional(clock_.Monotonic()) : std::nullopt;
    if (io.bytes < buffer.size() && !tls_->HasPending()) return Progress::kNothingLeft;
  }
  // The socket tells of what it has, but not of what OpenSSL took from it already.
  if (tls_->HasPending()) loop_.Post([self = shared_from_this()] { self->OnEvents(-1, 0); });
  return Progress::kMore;
}

absl::Status Http2Connection::Lost(Exchange& exchange) const {
  return Unreachable(upstream_.portal, send_broken_ ? Phase::kSend : Phase::kReceive,
                     exchange.reply().started() ? "the connection ended in the middle of its reply"
                                                : "the connection ended before its reply");
}

void Http2Connection::PostFlush() {
  if (blocked_ || send_broken_ || std::exchange(flush_posted_, true)) return;
  loop_.Post([weak = weak_from_this()] {
    if (const auto self = weak.lock(); self != nullptr) self->Flush();
  });
}

void Http2Connection::Flush() {
  flush_posted_ = false;
  while (tls_ != nullptr && !blocked_ && !send_broken_) {
    if (unsent_.empty()) session_.Send(unsent_, begun_);
    if (unsent_.empty()) break;
    const IoResult io = tls_->Send(std::string_view(unsent_).substr(sent_, kTlsRecordBytes));
    if (io.state == State::kAgain) {
      blocked_ = true;
      Watch(EPOLLOUT);
      break;
    }
    if (io.state != State::kDone) {
      send_broken_ = true;  // a reply may be there nevertheless
      loop_.Post([self = shared_from_this()] { self->OnEvents(-1, 0); });
      break;
    }
    for (const auto& exchange : std::exchange(begun_, {})) exchange->set_delivery(Delivery::kMaybeSent);
    sent_ += io.bytes;
    if (sent_ == unsent_.size()) {
      Wipe(unsent_.data(), unsent_.size());
      unsent_.clear();
      sent_ = 0;
    }
  }
  if (tls_ != nullptr && !over_) Settle(Progress::kMore);
}

}  // namespace lmbroker::http
