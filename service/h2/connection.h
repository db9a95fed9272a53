#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/functional/any_invocable.h>

#include "service/h2/flusher.h"
#include "service/h2/session.h"
#include "service/h2/tls_socket.h"
#include "service/http/event_loop.h"

namespace lmbroker::h2 {

// HTTP/2 with one caller: its socket's bytes to the session and back. On the loop's thread, and owned by shared_ptr.
class Connection final : public std::enable_shared_from_this<Connection>,
                         public Sender,
                         private http::EventLoop::Watcher,
                         private Session::Owner {
 public:
  struct Handlers {
    absl::AnyInvocable<StreamHandler&(Stream&, bool head_fits)> on_request;  // as Session::Owner has it
    absl::AnyInvocable<void(const Connection&)> on_over;  // once, when nothing will come or go any more
  };

  Connection(http::EventLoop& loop, Flusher& flusher, std::unique_ptr<TlsSocket> socket, Session::Limits limits,
             Handlers handlers);
  ~Connection() override;

  // Begins to read. Once.
  void Start();
  Session& session() { return session_; }
  // Ends it at once. Not for handlers.
  void Close();
  // Every second or so. Holds less memory while nothing is asked; ends when the caller has taken nothing of what it is
  // sent for a minute.
  void Tend(absl::Duration now);

  void Flush() override;

 private:
  void OnEvents(int socket, std::uint32_t events) override;
  StreamHandler& OnRequest(Stream& stream, bool head_fits) override { return handlers_.on_request(stream, head_fits); }
  void OnOutput() override;

  bool Read();
  bool Write();
  void Watch(bool for_room);

  http::EventLoop& loop_;
  Flusher& flusher_;
  const std::unique_ptr<TlsSocket> socket_;
  Handlers handlers_;
  Session session_;
  std::string out_;          // encoded, and not on the socket yet
  std::size_t written_ = 0;  // of it
  bool flush_comes_ = false;
  bool waits_for_room_ = false;  // in the socket
  absl::Duration stuck_since_ = absl::InfiniteDuration();
  bool open_ = true;
};

}  // namespace lmbroker::h2
