#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "service/http/connection.h"

namespace lmbroker::http {

// The client's side of HTTP/2 (RFC 9113) on one connection: requests in, bytes out; bytes in, replies out. It knows no
// socket. What nghttp2 keeps of a request, and so its signature, is wiped when that was sent. Not synchronised.
class Http2Session {
 public:
  // `most_requests`: in its life; what goes beyond belongs on another connection. `upstream` outlives this.
  Http2Session(const Upstream& upstream, std::size_t most_requests);
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // Begins a request: the number of its stream, or 0 when this connection takes none any more.
  std::int32_t Start(const std::shared_ptr<Exchange>& exchange);
  // Tells the portal that nobody waits for the reply.
  void Cancel(std::int32_t stream);
  // The reader of a streaming reply took so many bytes: so many more may come.
  void Consume(std::int32_t stream, std::size_t size);
  // Takes no more requests.
  void Leave() { leaving_ = true; }
  bool leaving() const { return leaving_; }

  // Takes what came. False when it is no HTTP/2: send what there is to send, and close.
  bool Receive(std::string_view bytes);
  // Appends what there is to send to `out`, until that has a TLS record's size or nothing is left. `begun`: the
  // exchanges whose first byte is among it.
  void Send(std::string& out, std::vector<std::shared_ptr<Exchange>>& begun);
  bool WantsToSend() const { return nghttp2_session_want_write(session_.get()) != 0; }

  // The exchanges that have ended since the last call; and the streaming ones of which there is more to deliver.
  std::vector<Connection::Outcome> TakeOutcomes() { return std::exchange(outcomes_, {}); }
  std::vector<std::shared_ptr<Exchange>> TakeNews() { return std::exchange(news_, {}); }
  // Those that are under way, which thereby are so no more.
  std::vector<std::shared_ptr<Exchange>> TakeAll();

  // Whether the portal has said how many requests it takes at a time. Until then it is asked for one.
  bool ready() const { return ready_; }
  // How many requests may begin now, and how many are under way.
  std::size_t room() const;
  std::size_t streams() const { return streams_.size(); }
  // Nothing will be received or sent any more.
  bool over() const { return !WantsToSend() && nghttp2_session_want_read(session_.get()) == 0; }

 private:
  struct Stream {
    std::shared_ptr<Exchange> exchange;
    std::size_t body_sent = 0;
    bool all_sent = false;
    int status = 0;
    bool reset_by_portal = false;
  };
  struct FreeSession {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };
  struct Callbacks;

  Stream* Find(std::int32_t id);
  // False when the stream has ended by it.
  bool AddHeader(std::int32_t id, std::string_view name, std::string_view value);
  void OnHead(std::int32_t id);
  void OnData(std::int32_t id, std::string_view bytes);
  void OnEnd(std::int32_t id);
  void OnClose(std::int32_t id, std::uint32_t error);
  // Has the portal send no more, and ends the exchange so.
  void Refuse(std::int32_t id, absl::Status why);
  void End(std::int32_t id, absl::StatusOr<Response> response, bool repeat = false);

  const Upstream& upstream_;
  const std::size_t most_requests_;
  std::size_t started_ = 0;
  bool ready_ = false;
  bool leaving_ = false;
  bool wipe_ = false;  // nghttp2's buffer holds a signature
  std::unordered_map<std::int32_t, Stream> streams_;
  std::vector<Connection::Outcome> outcomes_;
  std::vector<std::shared_ptr<Exchange>> news_;
  std::vector<std::int32_t> begun_;
  std::vector<nghttp2_nv> fields_;
  std::unique_ptr<nghttp2_session, FreeSession> session_;  // last: it ends before what it calls back into
};

}  // namespace lmbroker::http
