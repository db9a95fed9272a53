#pragma once

#include <http_parser.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>

#include "service/base/byte_budget.h"
#include "service/http/client.h"

namespace lmbroker::http {

// Reads one HTTP/1.1 reply (RFC 9112) from a stream of bytes: http-parser behind stricter rules. Refused as "not HTTP":
// anything that could be delimited in two ways (several Content-Length, one beside Transfer-Encoding, another coding
// than chunked), a switch of protocols, more than 100 headers or 64 KiB of them, more than 10 interim replies.
// Not synchronised.
class ReplyParser {
 public:
  // `memory` counts the body for as long as it is held.
  explicit ReplyParser(std::size_t most_body_bytes, ByteLease memory = {});
  ReplyParser(const ReplyParser&) = delete;
  ReplyParser& operator=(const ReplyParser&) = delete;

  // Takes what arrived. REPLY_TOO_LARGE, QUEUE_FULL (no memory for the body) or PORTAL_ERROR (not HTTP); then the
  // connection is of no use any more.
  absl::Status Feed(std::string_view bytes);
  // The portal closed the connection in order, which ends a reply that has no other end.
  void EndOfStream();

  // Whether a byte of a reply came.
  bool started() const { return started_; }
  // Whether the reply is whole.
  bool done() const { return done_; }
  // Once done: whether the portal keeps the connection and sent nothing behind the reply.
  bool reusable() const { return reusable_; }
  // Once done, the reply, or what was not taken of it.
  Response TakeResponse();

  // Whether status and headers are whole; they can be taken once, and the body piece by piece.
  bool head_complete() const { return head_complete_; }
  Response TakeHead() { return {.status = response_.status, .headers = std::move(response_.headers)}; }
  std::size_t body_size() const { return response_.body.size(); }
  std::string TakeBody() { return std::exchange(response_.body, {}); }

 private:
  static const http_parser_settings& Settings();

  void Restart();
  // What http-parser calls. True goes on; false, with problem_ set, ends.
  bool CountHeaderBytes(std::size_t size);
  bool OnField(std::string_view bytes);
  bool OnValue(std::string_view bytes);
  bool OnHeadersComplete();
  bool OnBody(std::string_view bytes);
  bool MakeRoom(std::size_t size);
  void OnMessageComplete();
  absl::Status CheckHead() const;

  const std::size_t most_body_bytes_;
  ByteLease memory_;
  std::size_t most_capacity_ = 0;  // of the body: what the reply says that it has, or the most
  http_parser parser_{};
  Response response_;
  absl::Status problem_;
  std::size_t header_bytes_ = 0;
  int interim_replies_ = 0;
  bool last_was_value_ = true;
  bool head_complete_ = false;
  bool message_complete_ = false;
  bool started_ = false;
  bool done_ = false;
  bool reusable_ = false;
};

}  // namespace lmbroker::http
