#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "service/http/client.h"
#include "service/http/event_loop.h"
#include "service/http/framing.h"
#include "service/http/reply.h"
#include "service/http/tls_connection.h"

namespace lmbroker::http {

class Connection;

// One transfer under way: what is left to send, and what came of the reply. It is either placed on a connection or
// waits in the pool's queue. On the loop's thread.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  // Of a streaming reply, that nobody has asked for.
  static constexpr std::size_t kMostBuffered = std::size_t{256} << 10;

  // Connections that end after a few requests send what is beyond away.
  static constexpr int kMostRepeats = 8;

  // Whoever placed the exchange.
  class Owner {
   public:
    virtual ~Owner() = default;
    // The deadline passed or the caller gave up. While the exchange is not finished.
    virtual void EndEarly(std::shared_ptr<Exchange> exchange, absl::Status why) = 0;
  };

  // `wire` is the framing of `request`; `memory` grows with the reply. `owner` and `loop` outlive the transfer.
  Exchange(WireRequest wire, OutgoingRequest request, SendOptions options, ByteLease memory, Client::Done done,
           Owner& owner, EventLoop& loop);

  // Starts to heed the deadline and the caller's cancellation; once.
  void Arm();

  // By HTTP/1.1: sends what the socket takes. False when the connection is dead.
  bool Send(TlsConnection& tls);
  bool all_sent() const { return sent_ == size_; }
  // By HTTP/2: what is to be sent, and whether a byte of it was. Kept until the exchange is finished.
  const WireRequest& wire() const { return wire_; }
  void set_delivery(Delivery delivery) { delivery_ = delivery; }
  // Whether the portal can have seen a byte of the request.
  Delivery delivery() const { return delivery_; }
  Reply& reply() { return reply_; }

  // Streaming: whether the reader is so far behind that nothing more is to be read; hands over what came of the reply;
  // takes what is left of it at its end.
  bool full() const { return options_.streaming && reply_.body_size() >= kMostBuffered; }
  bool streaming() const { return options_.streaming; }
  void Deliver();
  Response TakeResponse();

  // Null while it waits for one; and its place there, if the connection numbers them.
  const std::shared_ptr<Connection>& connection() const { return connection_; }
  std::int32_t stream() const { return stream_; }
  void set_connection(std::shared_ptr<Connection> connection, std::int32_t stream = 0) {
    connection_ = std::move(connection);
    stream_ = stream;
  }
  // Whether it may be sent elsewhere when it was sent away: a portal that does that time and again is a failure.
  bool TryRepeat() { return ++repeats_ <= kMostRepeats; }

  // Hands the result to the caller.
  void Finish(absl::StatusOr<Response> response);
  bool finished() const { return finished_; }

 private:
  class Body;
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
  Delivery delivery_ = Delivery::kNotSent;
  Reply reply_;
  Client::Done done_;
  bool head_given_ = false;
  bool reply_taken_ = false;
  bool finished_ = false;
  absl::Status end_;         // once finished, how
  BodyReader::Done reader_;  // waits for a piece
  std::shared_ptr<Connection> connection_;
  std::int32_t stream_ = 0;
  int repeats_ = 0;
  bool armed_ = false;
  EventLoop::Timer deadline_;
  std::optional<std::stop_callback<std::function<void()>>> on_cancel_;
};

}  // namespace lmbroker::http
