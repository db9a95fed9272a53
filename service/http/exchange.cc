#include "service/http/exchange.h"

#include <limits>
#include <utility>

#include "service/base/error.h"
#include "service/http/connection.h"

namespace lmbroker::http {

Exchange::Exchange(WireRequest wire, OutgoingRequest request, SendOptions options, ByteLease memory, Client::Done done,
                   Owner& owner, EventLoop& loop)
    : owner_(owner),
      loop_(loop),
      wire_(std::move(wire)),
      size_(wire_.first.view().size() + wire_.rest.size()),
      options_(std::move(options)),
      reply_(options_.streaming ? std::numeric_limits<std::size_t>::max() : options_.most_reply_bytes,
             std::move(memory)),
      done_(std::move(done)) {
  if (!wire_.rest.empty()) request_.emplace(std::move(request));
}

void Exchange::Arm() {
  if (std::exchange(armed_, true)) return;
  deadline_ = loop_.AddTimer(options_.deadline, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || self->finished()) return;
    self->owner_.EndEarly(
        self, Refuse(Reason::kDeadline, "The portal's answer did not come before the deadline; allow more time."));
  });
  if (options_.cancelled.stop_possible()) on_cancel_.emplace(options_.cancelled, [this] { PostCancel(); });
}

void Exchange::PostCancel() {
  // `this` lives: its destructor would wait for this call to end. It may have no owner any more, hence weak.
  loop_.Post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self != nullptr && !self->finished()) self->owner_.EndEarly(self, Cancelled());
  });
}

bool Exchange::Send(TlsConnection& tls) {
  while (!all_sent()) {
    const std::string_view first = wire_.first.view();
    const std::string_view left = sent_ < first.size() ? first.substr(sent_) : wire_.rest.substr(sent_ - first.size());
    const IoResult io = tls.Send(left.substr(0, kTlsRecordBytes));
    if (io.state == IoResult::State::kAgain) return true;
    if (io.state != IoResult::State::kDone) return false;
    sent_ += io.bytes;
    delivery_ = Delivery::kMaybeSent;
  }
  wire_ = {};
  request_.reset();
  return true;
}

// What the receiver of a streaming reply holds of it.
class Exchange::Body final : public BodyReader {
 public:
  explicit Body(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~Body() override { exchange_->Abandon(); }
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;

  void Next(Done done) override { exchange_->NextPiece(std::move(done)); }

 private:
  const std::shared_ptr<Exchange> exchange_;
};

void Exchange::Deliver() {
  if (!options_.streaming || finished_ || reply_taken_ || !reply_.head_complete()) return;
  if (std::exchange(head_given_, true)) return TellReader();
  Response head = reply_.TakeHead();
  head.rest = std::make_shared<Body>(shared_from_this());
  Client::Done done = std::exchange(done_, nullptr);
  done({.response = std::move(head), .delivery = delivery()});
}

Response Exchange::TakeResponse() {
  if (head_given_) return {};  // the body's reader takes the rest
  reply_taken_ = true;
  return reply_.TakeResponse();
}

void Exchange::NextPiece(BodyReader::Done done) {
  reader_ = std::move(done);
  TellReader();
}

// A piece or the end, when there is one and it is wanted.
void Exchange::TellReader() {
  if (reader_ == nullptr || (reply_.body_size() == 0 && !finished_)) return;
  if (connection_ != nullptr) connection_->OnTaken(*this, reply_.body_size());
  absl::StatusOr<std::string> piece = reply_.TakeBody();
  if (piece->empty() && !end_.ok()) piece = end_;
  BodyReader::Done reader = std::exchange(reader_, nullptr);
  reader(std::move(piece));
}

// From any thread: whoever held the reader may let go of it elsewhere, and only the loop knows how far this is.
void Exchange::Abandon() {
  loop_.Post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self != nullptr && !self->finished()) self->owner_.EndEarly(self, Cancelled());
  });
}

void Exchange::Finish(absl::StatusOr<Response> response) {
  loop_.CancelTimer(deadline_);
  on_cancel_.reset();
  connection_.reset();
  wire_ = {};
  request_.reset();
  finished_ = true;
  end_ = response.status();
  if (head_given_) return TellReader();
  Client::Done done = std::exchange(done_, nullptr);
  done({.response = std::move(response), .delivery = delivery()});
}

}  // namespace lmbroker::http
