#include "service/http/exchange.h"

#include <utility>

#include "service/base/error.h"

namespace lmbroker::http {

Exchange::Exchange(WireRequest wire, OutgoingRequest request, SendOptions options, Client::Done done, Owner& owner,
                   EventLoop& loop)
    : owner_(owner),
      loop_(loop),
      wire_(std::move(wire)),
      size_(wire_.first.view().size() + wire_.rest.size()),
      options_(std::move(options)),
      reply_(options_.most_reply_bytes),
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
  }
  wire_ = {};
  request_.reset();
  return true;
}

void Exchange::Finish(absl::StatusOr<Response> response) {
  loop_.CancelTimer(deadline_);
  on_cancel_.reset();
  connection_.reset();
  Client::Done done = std::move(done_);
  done_ = nullptr;
  done({.response = std::move(response), .delivery = delivery()});
}

}  // namespace lmbroker::http
