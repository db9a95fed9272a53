#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "service/h2/stream.h"

namespace lmbroker::h2 {

// The server's side of HTTP/2 (RFC 9113) on one connection: bytes in, requests out; answers in, bytes out. It knows no
// socket. Not synchronised. What handlers do in return may neither destroy nor Abandon it.
class Session {
 public:
  struct Limits {
    std::size_t streams = 512;            // at a time; the client is told, and one that goes on is cut off
    std::size_t header_bytes = 16 << 10;  // of one request; what goes beyond is left out, and `head_fits` is false;
                                          // four times as many end the connection
  };

  // Who answers the requests.
  class Owner {
   public:
    // A request's head has come. The handler must live until its OnClosed. `head_fits`: all of the head is there.
    virtual StreamHandler& OnRequest(Stream& stream, bool head_fits) = 0;
    // There is something to send. Must not Send before it returns.
    virtual void OnOutput() = 0;

   protected:
    ~Owner() = default;
  };

  Session(Owner& owner, Limits limits);
  ~Session() { Abandon(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Takes what came. False when it is no HTTP/2: send what there is to send, and close.
  bool Receive(std::string_view bytes);
  // Appends what there is to send to `out`, until that has at least `enough` bytes or nothing is left; then tells
  // handlers that there is room.
  void Send(std::string& out, std::size_t enough);
  // Whether Send would find something.
  bool WantsToSend() const { return nghttp2_session_want_write(session_.get()) != 0; }
  // Nothing will be received or sent any more.
  bool over() const { return !WantsToSend() && nghttp2_session_want_read(session_.get()) == 0; }
  std::size_t streams() const { return streams_.size(); }

  // Asks the client to send new requests elsewhere; those that are on their way are still taken.
  void AnnounceEnd();
  // Takes no more requests: the client knows which were not taken. Over once those under way are answered.
  void End();
  // Takes every stream away from its handler: nobody is there any more.
  void Abandon();
  // Calls `visit(handler)` for each stream that has one.
  template <class Visit>
  void ForEach(Visit visit) {
    for (const std::int32_t id : Ids()) {
      if (Stream* const stream = Find(id); stream != nullptr && stream->handler_ != nullptr) visit(*stream->handler_);
    }
  }

 private:
  friend class Stream;
  struct FreeSession {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };
  struct Callbacks;

  std::vector<std::int32_t> Ids() const;
  Stream* Find(std::int32_t id);
  bool Open(std::int32_t id);
  bool AddHeader(std::int32_t id, std::string_view name, std::string_view value);
  void OnHead(Stream& stream, bool ends);
  void OnEnd(Stream& stream);
  void Close(std::int32_t id);
  nghttp2_session* raw() { return session_.get(); }
  void Changed() { owner_.OnOutput(); }
  // All of that stream's body was taken.
  void Drained(std::int32_t id) { drained_.push_back(id); }
  void Cut(std::int32_t id);
  void OnAnswered(std::int32_t id);

  Owner& owner_;
  const Limits limits_;
  std::unique_ptr<nghttp2_session, FreeSession> session_;
  std::unordered_map<std::int32_t, std::unique_ptr<Stream>> streams_;
  bool ended_ = false;  // no more requests are taken
  std::vector<std::int32_t> drained_;
  std::vector<std::int32_t> cut_;
};

}  // namespace lmbroker::h2
