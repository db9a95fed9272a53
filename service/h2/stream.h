#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "service/h2/request_head.h"

namespace lmbroker::h2 {

class Session;

// Whoever answers a request: told of what comes on its stream, in this order: OnData and OnEnd, OnSent now and then,
// and OnClosed as the last.
class StreamHandler {
 public:
  virtual void OnData(std::string_view bytes) = 0;
  // The request is whole.
  virtual void OnEnd() = 0;
  // All that was written has been taken by the connection, which has room for more.
  virtual void OnSent() = 0;
  // The stream is gone, with the answer or before it. The handler touches it no more, and may end.
  virtual void OnClosed() = 0;

 protected:
  ~StreamHandler() = default;
};

// One request and its answer: a head and trailers at once, or a head, any number of writes, and trailers. Answers may
// be given while the request is still coming; what is left of it is then not awaited. Lives until OnClosed.
class Stream {
 public:
  Stream(Session& session, std::int32_t id) : session_(session), id_(id) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  const RequestHead& head() const { return head_; }

  // The whole answer, without a body.
  void Answer(std::span<const Header> head);
  // Begins an answer that ends with Finish.
  void Begin(std::span<const Header> head);
  // More of the body, once Begin was called.
  void Write(std::string bytes);
  // The end, behind what was written.
  void Finish(std::span<const Header> trailers);
  // Takes the stream away from its caller, who is told CANCEL, and soon from its handler, whether the caller reads or
  // not.
  void Cut();

 private:
  friend class Session;

  static ssize_t ReadBody(nghttp2_session* session, std::int32_t id, std::uint8_t* into, std::size_t room,
                          std::uint32_t* flags, nghttp2_data_source* source, void*);
  ssize_t TakeBody(std::uint8_t* into, std::size_t room, std::uint32_t& flags);
  void SubmitTrailers();
  void Resume();
  void TellSent();
  void TellClosed();

  Session& session_;
  const std::int32_t id_;
  RequestHead head_;
  std::size_t head_bytes_ = 0;
  StreamHandler* handler_ = nullptr;
  bool request_ended_ = false;

  std::string body_;       // what is being sent
  std::size_t taken_ = 0;  // of it
  bool waiting_ = false;   // for more of the body
  bool finished_ = false;
  std::vector<std::pair<std::string, std::string>> trailers_;
};

}  // namespace lmbroker::h2
