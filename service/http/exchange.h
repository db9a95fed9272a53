#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "service/http/client.h"
#include "service/http/event_loop.h"
#include "service/http/framing.h"
#include "service/http/reply_parser.h"
#include "service/http/tls_connection.h"

namespace lmbroker::http {

class Connection;

// One transfer under way: what is left to send, and what came of the reply. It is either placed on a connection, whose
// mutex then guards it, or waits in the pool's queue, whose mutex does. Only the loop's thread reads its reply, hands
// that over, and finishes it.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  // Whoever placed the exchange.
  class Owner {
   public:
    virtual ~Owner() = default;
    // The deadline passed or the caller gave up. On the loop's thread, while the exchange is not finished.
    virtual void EndEarly(std::shared_ptr<Exchange> exchange, absl::Status why) = 0;
  };

  // `wire` is the framing of `request`; `memory` grows with the reply. `owner` and `loop` outlive the transfer.
  Exchange(WireRequest wire, OutgoingRequest request, SendOptions options, ByteLease memory, Client::Done done,
           Owner& owner, EventLoop& loop);

  // Starts to heed the deadline and the caller's cancellation; once, as soon as the exchange has its place and before
  // the lock of that place is released, so that the loop always finds it there.
  void Arm();

  // Sends what the socket takes. False when the connection is dead.
  bool Send(TlsConnection& tls);
  bool all_sent() const { return sent_ == size_; }
  // Whether the portal can have seen a byte of the request.
  Delivery delivery() const { return sent_ == 0 ? Delivery::kNotSent : Delivery::kMaybeSent; }
  ReplyParser& reply() { return reply_; }

  // Streaming, on the loop's thread: whether the reader is so far behind that nothing more is to be read; hands over,
  // without a lock, what came of the reply; takes what is left of it at its end.
  bool full() const { return options_.streaming && reply_.body_size() >= kMostBuffered; }
  bool streaming() const { return options_.streaming; }
  void Deliver();
  Response TakeResponse();

  // On the loop's thread, or where Arm came before.
  const std::shared_ptr<Connection>& connection() const { return connection_; }
  void set_connection(std::shared_ptr<Connection> connection) { connection_ = std::move(connection); }

  // Hands the result to the caller. On the loop's thread; on the sender's when the exchange never had a place.
  void Finish(absl::StatusOr<Response> response);
  bool finished() const { return finished_; }

 private:
  class Body;
  static constexpr std::size_t kMostBuffered = std::size_t{256} << 10;

  void NextPiece(BodyReader::Done done);
  void TellReader();
  void Abandon();
  // Runs on the thread that cancels.
  void PostCancel();

  Owner& owner_;
  EventLoop& loop_;
  WireRequest wire_;
  std::optional<OutgoingRequest> request_;  // holds the body that wire_.rest points to
  const std::size_t size_;
  std::size_t sent_ = 0;
  const SendOptions options_;
  ReplyParser reply_;
  Client::Done done_;
  bool head_given_ = false;
  bool reply_taken_ = false;
  bool finished_ = false;
  absl::Status end_;         // once finished, how
  BodyReader::Done reader_;  // waits for a piece
  std::shared_ptr<Connection> connection_;
  bool armed_ = false;
  EventLoop::Timer deadline_;
  std::optional<std::stop_callback<std::function<void()>>> on_cancel_;
};

}  // namespace lmbroker::http
