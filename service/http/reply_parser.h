#pragma once

#include <http_parser.h>

#include <string_view>

#include <absl/status/status.h>

#include "service/http/reply.h"

namespace lmbroker::http {

// Reads one HTTP/1.1 reply (RFC 9112) from a stream of bytes: http-parser behind stricter rules. Refused as "not HTTP":
// anything that could be delimited in two ways (several Content-Length, one beside Transfer-Encoding, another coding
// than chunked), a switch of protocols, and what Reply does not take. Not synchronised.
class ReplyParser {
 public:
  // `reply` is where it goes, and outlives this.
  explicit ReplyParser(Reply& reply);
  ReplyParser(const ReplyParser&) = delete;
  ReplyParser& operator=(const ReplyParser&) = delete;

  // Takes what arrived. REPLY_TOO_LARGE, QUEUE_FULL (no memory for the body) or PORTAL_ERROR (not HTTP); then the
  // connection is of no use any more.
  absl::Status Feed(std::string_view bytes);
  // The portal closed the connection in order, which ends a reply that has no other end.
  void EndOfStream();

  // Whether the reply is whole.
  bool done() const { return done_; }
  // Once done: whether the portal keeps the connection and sent nothing behind the reply.
  bool reusable() const { return reusable_; }

 private:
  static const http_parser_settings& Settings();

  void Restart();
  // What http-parser calls. True goes on; false, with problem_ set, ends.
  bool CountHeaderBytes(std::size_t size);
  bool OnField(std::string_view bytes);
  bool OnValue(std::string_view bytes);
  bool OnHeadersComplete();
  bool OnBody(std::string_view bytes);
  void OnMessageComplete();
  absl::Status CheckFraming() const;

  Reply& reply_;
  http_parser parser_{};
  absl::Status problem_;
  NameValue* header_ = nullptr;  // the one that is being read
  bool last_was_value_ = true;
  bool message_complete_ = false;
  bool done_ = false;
  bool reusable_ = false;
};

}  // namespace lmbroker::http
