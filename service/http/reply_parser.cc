#include "service/http/reply_parser.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/secret.h"
#include "service/base/text.h"

namespace lmbroker::http {
namespace {

constexpr std::size_t kMostHeaders = 100;
constexpr std::size_t kMostHeaderBytes = 64 << 10;
constexpr int kMostInterimReplies = 10;
constexpr unsigned kSwitchingProtocols = 101;

absl::Status NotHttp(std::string_view problem) {
  return Refuse(Reason::kPortalError, fmt::format("The portal's answer is not good HTTP/1.1: {}; try again.", problem));
}

absl::Status TooLarge(std::size_t most_bytes) {
  return Refuse(Reason::kReplyTooLarge,
                fmt::format("The portal's reply has more than {} bytes; ask for less at a time.", most_bytes),
                {.metadata = {{"limit", fmt::format("{}", most_bytes)}}});
}

// RFC 9110, section 5.6.2. http-parser itself lets blanks in names pass, as Debian builds it.
bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool IsFieldValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || !HasControl({&c, 1}); });
}

bool IsInterim(unsigned status) { return status >= 100 && status < 200; }

ReplyParser& Self(http_parser* parser) { return *static_cast<ReplyParser*>(parser->data); }

}  // namespace

ReplyParser::ReplyParser(std::size_t most_body_bytes, ByteLease memory)
    : most_body_bytes_(most_body_bytes), memory_(std::move(memory)) {
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
  response_ = {};
  last_was_value_ = true;
  head_complete_ = false;
  message_complete_ = false;
}

absl::Status ReplyParser::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    started_ = true;
    if (done_) {
      reusable_ = false;  // what follows a reply answers nothing: the stream cannot be trusted
      return absl::OkStatus();
    }
    bytes.remove_prefix(http_parser_execute(&parser_, &Settings(), bytes.data(), bytes.size()));
    if (!problem_.ok()) return problem_;
    if (message_complete_) {
      if (IsInterim(parser_.status_code)) {
        if (++interim_replies_ > kMostInterimReplies) return NotHttp("too many interim replies");
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
  if (done_ || !head_complete_) return;
  http_parser_execute(&parser_, &Settings(), nullptr, 0);
  done_ = message_complete_;
  reusable_ = false;
}

bool ReplyParser::CountHeaderBytes(std::size_t size) {
  header_bytes_ += size;
  if (header_bytes_ > kMostHeaderBytes) problem_ = NotHttp("its headers are too long");
  return problem_.ok();
}

bool ReplyParser::OnField(std::string_view bytes) {
  if (!CountHeaderBytes(bytes.size())) return false;
  if (head_complete_) return true;  // a trailer, which nobody asked for
  if (last_was_value_) {
    if (response_.headers.size() == kMostHeaders) {
      problem_ = NotHttp("it has too many headers");
      return false;
    }
    response_.headers.emplace_back();
    last_was_value_ = false;
  }
  response_.headers.back().name += bytes;
  return true;
}

bool ReplyParser::OnValue(std::string_view bytes) {
  if (!CountHeaderBytes(bytes.size())) return false;
  if (head_complete_) return true;
  last_was_value_ = true;
  response_.headers.back().value += bytes;
  return true;
}

bool ReplyParser::OnHeadersComplete() {
  head_complete_ = true;
  for (NameValue& header : response_.headers) header.value.erase(header.value.find_last_not_of(" \t") + 1);
  response_.status = static_cast<int>(parser_.status_code);
  problem_ = CheckHead();
  most_capacity_ = std::min<std::uint64_t>(most_body_bytes_, parser_.content_length);  // the largest when it says none
  return problem_.ok();
}

absl::Status ReplyParser::CheckHead() const {
  if (parser_.http_major != 1 || response_.status < 100) return NotHttp("its status line is odd");
  if (parser_.status_code == kSwitchingProtocols) return NotHttp("it switches protocols");
  std::size_t lengths = 0;
  std::size_t codings = 0;
  for (const NameValue& header : response_.headers) {
    if (!IsToken(header.name) || !IsFieldValue(header.value)) return NotHttp("a header is malformed");
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
  if (lengths == 1 && parser_.content_length > most_body_bytes_) return TooLarge(most_body_bytes_);
  return absl::OkStatus();
}

bool ReplyParser::OnBody(std::string_view bytes) {
  if (bytes.size() > most_body_bytes_ - response_.body.size()) {
    problem_ = TooLarge(most_body_bytes_);
    return false;
  }
  if (!MakeRoom(response_.body.size() + bytes.size())) {
    problem_ = NoRoomFor("the portal's reply");
    return false;
  }
  response_.body += bytes;
  return true;
}

// Room for a body of `size`. It grows as strings do, but only to what it can become, and what is counted is what is
// allocated.
bool ReplyParser::MakeRoom(std::size_t size) {
  std::string& body = response_.body;
  if (size <= body.capacity()) return true;
  const std::size_t capacity = std::max(size, std::min(2 * body.capacity(), most_capacity_));
  if (!memory_.TryResize(capacity)) return false;
  std::string larger;  // a string that reserves more of itself takes at least twice as much
  larger.reserve(capacity);
  larger += body;
  Wipe(body.data(), body.size());  // it may hold a new token's key
  body = std::move(larger);
  return true;
}

Response ReplyParser::TakeResponse() {
  if (memory_.bytes() > 0) response_.memory = std::make_shared<const ByteLease>(std::move(memory_));
  return std::move(response_);
}

void ReplyParser::OnMessageComplete() {
  message_complete_ = true;
  reusable_ = http_should_keep_alive(&parser_) != 0;
  http_parser_pause(&parser_, 1);  // stop here: what follows is not part of this reply
}

}  // namespace lmbroker::http
