#include "service/http/reply_parser.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "service/base/status_macros.h"
#include "service/base/text.h"

namespace lmbroker::http {
namespace {

constexpr unsigned kSwitchingProtocols = 101;

bool IsInterim(unsigned status) { return status >= 100 && status < 200; }

ReplyParser& Self(http_parser* parser) { return *static_cast<ReplyParser*>(parser->data); }

}  // namespace

ReplyParser::ReplyParser(Reply& reply) : reply_(reply) {
  parser_.data = this;
  Restart();
}

const http_parser_settings& ReplyParser::Settings() {
  static const http_parser_settings settings = [] {
    http_parser_settings s;
    http_parser_settings_init(&s);
    s.on_header_field = [](http_parser* p, const char* at, std::size_t n) { return Self(p).OnField({at, n}) ? 0 : 1; };
    s.on_header_value = [](http_parser* p, const char* at, std::size_t n) { return Self(p).OnValue({at, n}) ? 0 : 1; };
    // Here 1 would mean "no body follows"; -1 is the error.
    s.on_headers_complete = [](http_parser* p) { return Self(p).OnHeadersComplete() ? 0 : -1; };
    s.on_body = [](http_parser* p, const char* at, std::size_t n) { return Self(p).OnBody({at, n}) ? 0 : 1; };
    s.on_message_complete = [](http_parser* p) {
      Self(p).OnMessageComplete();
      return 0;
    };
    return s;
  }();
  return settings;
}

void ReplyParser::Restart() {
  http_parser_init(&parser_, HTTP_RESPONSE);
  last_was_value_ = true;
  message_complete_ = false;
}

absl::Status ReplyParser::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    reply_.NoteStart();
    if (done_) {
      reusable_ = false;  // what follows a reply answers nothing: the stream cannot be trusted
      return absl::OkStatus();
    }
    bytes.remove_prefix(http_parser_execute(&parser_, &Settings(), bytes.data(), bytes.size()));
    if (!problem_.ok()) return problem_;
    if (message_complete_) {
      if (IsInterim(parser_.status_code)) {
        RETURN_IF_ERROR(reply_.DropInterim());
        Restart();
      } else {
        done_ = true;
      }
    } else if (const auto error = HTTP_PARSER_ERRNO(&parser_); error != HPE_OK) {
      return NotHttp(http_errno_description(error));
    }
  }
  return absl::OkStatus();
}

void ReplyParser::EndOfStream() {
  reusable_ = false;
  if (done_ || !reply_.head_complete()) return;
  http_parser_execute(&parser_, &Settings(), nullptr, 0);
  done_ = message_complete_;
  reusable_ = false;
}

bool ReplyParser::CountHeaderBytes(std::size_t size) {
  problem_ = reply_.CountHeaderBytes(size);
  return problem_.ok();
}

bool ReplyParser::OnField(std::string_view bytes) {
  if (!CountHeaderBytes(bytes.size())) return false;
  if (reply_.head_complete()) return true;  // a trailer, which nobody asked for
  if (std::exchange(last_was_value_, false)) {
    const absl::StatusOr<NameValue*> added = reply_.AddHeader();
    problem_ = added.status();
    if (!added.ok()) return false;
    header_ = *added;
  }
  header_->name += bytes;
  return true;
}

bool ReplyParser::OnValue(std::string_view bytes) {
  if (!CountHeaderBytes(bytes.size())) return false;
  if (reply_.head_complete()) return true;
  last_was_value_ = true;
  header_->value += bytes;
  return true;
}

bool ReplyParser::OnHeadersComplete() {
  constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();  // as http-parser says it
  const auto length = parser_.content_length == kNone ? std::nullopt : std::optional(parser_.content_length);
  problem_ = reply_.EndHead(static_cast<int>(parser_.status_code), length);
  if (problem_.ok()) problem_ = CheckFraming();
  return problem_.ok();
}

absl::Status ReplyParser::CheckFraming() const {
  if (parser_.http_major != 1 || parser_.status_code < 100) return NotHttp("its status line is odd");
  if (parser_.status_code == kSwitchingProtocols) return NotHttp("it switches protocols");
  std::size_t lengths = 0;
  std::size_t codings = 0;
  for (const NameValue& header : reply_.headers()) {
    if (EqualsIgnoreCase(header.name, "Content-Length")) ++lengths;
    if (EqualsIgnoreCase(header.name, "Transfer-Encoding")) {
      ++codings;
      if (!EqualsIgnoreCase(header.value, "chunked")) return NotHttp("its transfer coding is not chunked");
    }
  }
  if (lengths + codings > 1) return NotHttp("its length is said twice");
  // RFC 9110, sections 8.6 and 15.2: a length would be a body, which the parser would read as a reply's.
  if (IsInterim(parser_.status_code) && lengths + codings > 0) return NotHttp("an interim reply has a body");
  // http-parser takes any name that begins with Transfer-Encoding for it, and reads to the end of the stream.
  if ((parser_.uses_transfer_encoding != 0) != (codings > 0)) return NotHttp("a header is malformed");
  return absl::OkStatus();
}

bool ReplyParser::OnBody(std::string_view bytes) {
  problem_ = reply_.AddBody(bytes);
  return problem_.ok();
}

void ReplyParser::OnMessageComplete() {
  message_complete_ = true;
  reusable_ = http_should_keep_alive(&parser_) != 0;
  http_parser_pause(&parser_, 1);  // stop here: what follows is not part of this reply
}

}  // namespace lmbroker::http
