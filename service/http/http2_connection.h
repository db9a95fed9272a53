#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/base/clock.h"
#include "service/http/connection.h"
#include "service/http/event_loop.h"
#include "service/http/http2_session.h"

namespace lmbroker::http {

// Carries exchanges by HTTP/2, many at a time. What is sent in one turn of the loop goes out together.
class Http2Connection final : public Connection,
                              private EventLoop::Watcher,
                              public std::enable_shared_from_this<Http2Connection> {
 public:
  // `tls` is connected. `owner`, `upstream`, `clock` and `loop` outlive this.
  Http2Connection(std::unique_ptr<TlsConnection> tls, std::size_t most_exchanges, const Upstream& upstream,
                  Owner& owner, const Clock& clock, EventLoop& loop);

  void Open() override;
  bool Start(const std::shared_ptr<Exchange>& exchange) override;
  std::size_t room() const override { return over_ ? 0 : session_.room(); }
  bool starting() const override { return !over_ && !session_.ready(); }
  std::size_t exchanges() const override { return session_.streams(); }
  bool over() const override { return over_; }
  void Drop(Exchange& exchange) override;
  void OnTaken(const Exchange& exchange, std::size_t size) override;
  Remains Close() override;

 private:
  // What came of reading.
  enum class Progress { kMore, kNothingLeft, kNotHttp2, kLost };

  void OnEvents(int socket, std::uint32_t events) override;
  Progress Read();
  void Settle(Progress progress);
  void Flush();
  void PostFlush();
  void Watch(std::uint32_t more_events = 0);
  absl::Status Lost(Exchange& exchange) const;

  const Upstream& upstream_;
  Owner& owner_;
  const Clock& clock_;
  EventLoop& loop_;
  std::unique_ptr<TlsConnection> tls_;  // null: closed
  Http2Session session_;
  std::string unsent_;  // holds signatures: wiped when it was sent
  std::size_t sent_ = 0;
  std::vector<std::shared_ptr<Exchange>> begun_;  // exchanges that begin in `unsent_`
  // Since when an answer is awaited and nothing at all came.
  std::optional<absl::Duration> silent_since_;
  bool used_ = false;
  bool had_room_ = true;
  bool flush_posted_ = false;
  bool blocked_ = false;  // the socket takes no more
  bool send_broken_ = false;
  bool over_ = false;
};

}  // namespace lmbroker::http
