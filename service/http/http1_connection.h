#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "service/http/connection.h"
#include "service/http/event_loop.h"
#include "service/http/reply_parser.h"

namespace lmbroker::http {

// Carries exchanges by HTTP/1.1, one at a time. Only what ended in order, with nothing behind the reply, is used again.
class Http1Connection final : public Connection,
                              private EventLoop::Watcher,
                              public std::enable_shared_from_this<Http1Connection> {
 public:
  // `tls` is connected. `owner`, `upstream` and `loop` outlive this.
  Http1Connection(std::unique_ptr<TlsConnection> tls, std::size_t most_exchanges, const Upstream& upstream,
                  Owner& owner, EventLoop& loop);

  void Open() override;
  bool Start(const std::shared_ptr<Exchange>& exchange) override;
  std::size_t room() const override { return over_ || exchange_ != nullptr ? 0 : 1; }
  std::size_t exchanges() const override { return exchange_ == nullptr ? 0 : 1; }
  bool over() const override { return over_; }
  void Drop(Exchange& exchange) override;
  void OnTaken(const Exchange& exchange, std::size_t size) override;
  Remains Close() override;

 private:
  void OnEvents(int socket, std::uint32_t events) override;
  // Whether nothing came that nobody asked for, such as the end of the connection.
  bool IsQuiet();
  void Advance();
  // Reads until nothing is left (kAgain), it was enough for one turn (kDone), or nothing more can come.
  absl::StatusOr<IoResult::State> ReadReply();
  void End(absl::StatusOr<Response> response, bool repeat = false);
  void PostAnotherTurn();

  const std::size_t most_exchanges_;
  const Upstream& upstream_;
  Owner& owner_;
  EventLoop& loop_;
  std::unique_ptr<TlsConnection> tls_;  // null: closed
  std::shared_ptr<Exchange> exchange_;
  std::optional<ReplyParser> parser_;  // of the exchange's reply
  std::size_t started_ = 0;
  bool send_broken_ = false;
  bool over_ = false;
};

}  // namespace lmbroker::http
