#include "service/http/http2_session.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "service/base/secret.h"
#include "service/http/nghttp2_ptr.h"
#include "service/http/unreachable.h"

namespace lmbroker::http {
namespace {

// What the portal may send before we have taken it in. A stream's is what a reader who is behind costs; what is ours to
// read is taken in at once, so the connection's bounds nothing but the speed.
constexpr std::uint32_t kStreamWindow = Exchange::kMostBuffered;
constexpr std::int32_t kConnectionWindow = 8 << 20;
constexpr std::int32_t kLargeWindow = 4 << 20;  // of a reply that is not streamed and turns out to be long
constexpr std::uint32_t kMostHeaderBytes = 64 << 10;
// Of a request: more than path, query and headers of a caller can come to.
constexpr std::size_t kMostHead = 256 << 10;
// No frame of it is ever sent (see Callbacks::Pack). Types from 0xf0 are for experiments.
constexpr std::uint8_t kWipingFrame = 0xf0;

nghttp2_nv ToField(std::string_view name, std::string_view value, std::uint8_t flags = NGHTTP2_NV_FLAG_NONE) {
  const auto bytes = [](std::string_view text) {  // nghttp2 copies them, and makes names lower-case
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), flags};
}

// Up to `end`, which is taken off, too.
std::string_view Take(std::string_view& text, std::string_view end) {
  const std::string_view taken = text.substr(0, text.find(end));
  text.remove_prefix(taken.size() + end.size());
  return taken;
}

// Whether all calls send about the same: only that is for the table of fields that they share. By the lengths of what
// goes out one caller could else find out what another one sends (RFC 7541, section 7.1).
bool IsCommon(std::string_view name) {
  return name == "User-Agent" || name == "X-Version" || name == "Accept" || name == "Content-Type";
}

// The framed head as HTTP/2's fields (RFC 9113, section 8.3.1).
void ToFields(std::string_view head, std::vector<nghttp2_nv>& fields) {
  fields.clear();
  fields.push_back(ToField(":method", Take(head, " ")));
  fields.push_back(ToField(":scheme", "https"));
  fields.push_back(ToField(":path", Take(head, " ")));
  Take(head, "\r\nHost: ");
  fields.push_back(ToField(":authority", Take(head, "\r\n")));
  while (head != "\r\n") {
    const std::string_view name = Take(head, ": ");
    fields.push_back(
        ToField(name, Take(head, "\r\n"), IsCommon(name) ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX));
  }
}

std::optional<std::uint64_t> LengthIn(const std::vector<NameValue>& headers) {
  for (const NameValue& header : headers) {
    if (header.name != "content-length") continue;
    std::uint64_t length = 0;
    std::from_chars(header.value.data(), header.value.data() + header.value.size(), length);
    return length;
  }
  return std::nullopt;
}

// Memory that is wiped when it is freed.
void Free(void* memory, void*) {
  if (memory != nullptr) Wipe(memory, malloc_usable_size(memory));
  std::free(memory);
}
void* Allocate(std::size_t size, void*) { return std::malloc(size); }
void* AllocateZeros(std::size_t count, std::size_t size, void*) { return std::calloc(count, size); }
void* Reallocate(void* memory, std::size_t size, void*) {
  void* const larger = std::malloc(size);
  if (larger == nullptr || memory == nullptr) return larger;
  std::memcpy(larger, memory, std::min(size, malloc_usable_size(memory)));
  Free(memory, nullptr);
  return larger;
}

// These fail only when there is no memory, of which the process dies anyway.
void Check(int result) {
  if (result != 0) std::abort();
}

}  // namespace

// What nghttp2 calls. An exchange that has ended is not there any more: what comes for it is dropped.
struct Http2Session::Callbacks {
  static Http2Session& Of(void* user_data) { return *static_cast<Http2Session*>(user_data); }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user_data) {
    const bool good = Of(user_data).AddHeader(frame->hd.stream_id, ToView(name, name_size), ToView(value, value_size));
    return good ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  // Which would else be left out in silence.
  static int OnInvalidHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t*, std::size_t,
                             const std::uint8_t*, std::size_t, std::uint8_t, void* user_data) {
    Http2Session& self = Of(user_data);
    const std::int32_t id = frame->hd.stream_id;
    if (self.Find(id) != nullptr) self.End(id, NotHttp("a header is malformed"));
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Session& self = Of(user_data);
    const std::int32_t id = frame->hd.stream_id;
    switch (frame->hd.type) {
      case NGHTTP2_SETTINGS:
        self.ready_ = true;
        return 0;
      case NGHTTP2_GOAWAY:
        self.leaving_ = true;
        return 0;
      case NGHTTP2_RST_STREAM:
        if (Stream* const stream = self.Find(id); stream != nullptr) stream->reset_by_portal = true;
        return 0;
      case NGHTTP2_HEADERS:
        self.OnHead(id);
        break;
      case NGHTTP2_DATA:
        break;
      default:
        return 0;
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) self.OnEnd(id);
    return 0;
  }

  static int OnData(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                    std::size_t size, void* user_data) {
    nghttp2_session_consume_connection(session, size);
    Of(user_data).OnData(id, ToView(bytes, size));
    return 0;
  }

  static int OnClose(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user_data) {
    Of(user_data).OnClose(id, error);
    return 0;
  }

  static int BeforeSend(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->hd.type == NGHTTP2_HEADERS) Of(user_data).begun_.push_back(frame->hd.stream_id);
    return 0;
  }

  static ssize_t ReadBody(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t room, std::uint32_t* flags,
                          nghttp2_data_source*, void* user_data) {
    Stream* const stream = Of(user_data).Find(id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const std::string_view left = stream->exchange->wire().body().substr(stream->body_sent);
    const std::size_t size = std::min(room, left.size());
    std::memcpy(into, left.data(), size);
    stream->body_sent += size;
    stream->all_sent = size == left.size();
    if (stream->all_sent) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  // Is given the buffer in which all frames are made, one after the other, and wipes it; then there is no such frame.
  static ssize_t Pack(nghttp2_session*, std::uint8_t* buffer, std::size_t size, const nghttp2_frame*, void*) {
    Wipe(buffer, size);
    return NGHTTP2_ERR_CANCEL;
  }

  static Nghttp2Ptr<nghttp2_session_callbacks> Make() {
    nghttp2_session_callbacks* made = nullptr;
    Check(nghttp2_session_callbacks_new(&made));
    nghttp2_session_callbacks_set_on_header_callback(made, OnHeader);
    nghttp2_session_callbacks_set_on_invalid_header_callback(made, OnInvalidHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, OnData);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, OnClose);
    nghttp2_session_callbacks_set_before_frame_send_callback(made, BeforeSend);
    nghttp2_session_callbacks_set_pack_extension_callback(made, Pack);
    return Nghttp2Ptr<nghttp2_session_callbacks>(made);
  }
};

Http2Session::Http2Session(const Upstream& upstream, std::size_t most_requests)
    : upstream_(upstream), most_requests_(most_requests) {
  nghttp2_option* raw_option = nullptr;
  Check(nghttp2_option_new(&raw_option));
  const Nghttp2Ptr<nghttp2_option> option(raw_option);
  nghttp2_option_set_no_auto_window_update(option.get(), 1);  // a reader who is behind must stop the portal
  nghttp2_option_set_no_closed_streams(option.get(), 1);
  nghttp2_option_set_max_send_header_block_length(option.get(), kMostHead);
  nghttp2_mem memory{
      .mem_user_data = nullptr, .malloc = Allocate, .free = Free, .calloc = AllocateZeros, .realloc = Reallocate};
  nghttp2_session* made = nullptr;
  Check(nghttp2_session_client_new3(&made, Callbacks::Make().get(), this, option.get(), &memory));
  session_.reset(made);
  const std::array settings = {
      nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMostHeaderBytes},
  };
  Check(nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings.data(), settings.size()));
  Check(nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0, kConnectionWindow));
}

std::int32_t Http2Session::Start(const std::shared_ptr<Exchange>& exchange) {
  const WireRequest& wire = exchange->wire();
  ToFields(wire.head(), fields_);
  nghttp2_data_provider body{};
  body.read_callback = Callbacks::ReadBody;
  const bool has_body = !wire.body().empty();
  const std::int32_t id = nghttp2_submit_request(session_.get(), nullptr, fields_.data(), fields_.size(),
                                                 has_body ? &body : nullptr, nullptr);
  if (id < 0) {  // the numbers are used up, or the session ends
    leaving_ = true;
    return 0;
  }
  streams_.emplace(id, Stream{.exchange = exchange, .all_sent = !has_body});
  if (++started_ >= most_requests_) leaving_ = true;
  return id;
}

void Http2Session::Cancel(std::int32_t stream) {
  streams_.erase(stream);
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
}

void Http2Session::Consume(std::int32_t stream, std::size_t size) {
  nghttp2_session_consume_stream(session_.get(), stream, size);
}

bool Http2Session::Receive(std::string_view bytes) {
  const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return nghttp2_session_mem_recv(session_.get(), data, bytes.size()) >= 0;
}

void Http2Session::Send(std::string& out, std::vector<std::shared_ptr<Exchange>>& begun) {
  ssize_t size = 0;
  while (out.size() < kTlsRecordBytes) {
    const std::uint8_t* bytes = nullptr;
    size = nghttp2_session_mem_send(session_.get(), &bytes);
    if (size > 0) {
      out.append(ToView(bytes, static_cast<std::size_t>(size)));
    } else if (std::exchange(wipe_, false)) {
      nghttp2_submit_extension(session_.get(), kWipingFrame, NGHTTP2_FLAG_NONE, 0, nullptr);
    } else {
      break;
    }
    for (const std::int32_t id : begun_) {
      wipe_ = true;
      if (const Stream* const stream = Find(id); stream != nullptr) begun.push_back(stream->exchange);
    }
    begun_.clear();
  }
}

std::vector<std::shared_ptr<Exchange>> Http2Session::TakeAll() {
  std::vector<std::shared_ptr<Exchange>> all;
  for (auto& [id, stream] : std::exchange(streams_, {})) all.push_back(std::move(stream.exchange));
  return all;
}

std::size_t Http2Session::room() const {
  if (!ready_) return streams_.empty() ? 1 : 0;
  if (leaving_ || nghttp2_session_check_request_allowed(session_.get()) == 0) return 0;
  const std::size_t most = nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return most - std::min(most, streams_.size());
}

Http2Session::Stream* Http2Session::Find(std::int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second;
}

bool Http2Session::AddHeader(std::int32_t id, std::string_view name, std::string_view value) {
  Stream* const stream = Find(id);
  if (stream == nullptr) return true;
  Reply& reply = stream->exchange->reply();
  reply.NoteStart();
  absl::Status added = reply.CountHeaderBytes(name.size() + value.size());
  if (added.ok() && !reply.head_complete()) {  // else a trailer, which nobody asked for
    if (name == ":status") {
      std::from_chars(value.data(), value.data() + value.size(), stream->status);
    } else if (const absl::StatusOr<NameValue*> header = reply.AddHeader(); header.ok()) {
      (*header)->name = name;
      (*header)->value = value;
    } else {
      added = header.status();
    }
  }
  if (!added.ok()) End(id, added);
  return added.ok();
}

void Http2Session::OnHead(std::int32_t id) {
  Stream* const stream = Find(id);
  if (stream == nullptr) return;
  Reply& reply = stream->exchange->reply();
  if (reply.head_complete()) return;
  if (stream->status < 100) return Refuse(id, NotHttp("its status is odd"));
  const bool interim = stream->status < 200;
  const absl::Status head = interim ? reply.DropInterim() : reply.EndHead(stream->status, LengthIn(reply.headers()));
  if (!head.ok()) return Refuse(id, head);
  if (!interim && stream->exchange->streaming()) news_.push_back(stream->exchange);
}

void Http2Session::OnData(std::int32_t id, std::string_view bytes) {
  Stream* const stream = Find(id);
  if (stream == nullptr) return;
  Reply& reply = stream->exchange->reply();
  const bool was_small = reply.body_size() < kStreamWindow / 2;
  if (const absl::Status added = reply.AddBody(bytes); !added.ok()) return Refuse(id, added);
  if (!stream->exchange->streaming()) {
    Consume(id, bytes.size());
    if (was_small && reply.body_size() >= kStreamWindow / 2) {
      nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, id, kLargeWindow);
    }
    return;
  }
  if (news_.empty() || news_.back() != stream->exchange) news_.push_back(stream->exchange);
}

void Http2Session::OnEnd(std::int32_t id) {
  Stream* const stream = Find(id);
  if (stream == nullptr) return;
  const bool all_sent = stream->all_sent;
  End(id, stream->exchange->TakeResponse());
  if (!all_sent) nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
}

void Http2Session::OnClose(std::int32_t id, std::uint32_t error) {
  Stream* const stream = Find(id);
  if (stream == nullptr) return;
  Exchange& exchange = *stream->exchange;
  if (!stream->reset_by_portal && error != NGHTTP2_REFUSED_STREAM) return End(id, NotHttp("it breaks HTTP/2's rules"));
  if (error == NGHTTP2_REFUSED_STREAM && !exchange.reply().started()) {
    // By GOAWAY or by RST_STREAM: the portal has not acted on it, nor will it (RFC 9113, sections 6.8 and 8.7).
    exchange.set_delivery(Delivery::kNotSent);
    return End(id, Unreachable(upstream_.portal, Phase::kSend, "it takes no requests on this connection"),
               /*repeat=*/exchange.TryRepeat());
  }
  End(id, Unreachable(upstream_.portal, Phase::kReceive,
                      exchange.reply().started() ? "it broke its reply off" : "it broke the request off"));
}

void Http2Session::Refuse(std::int32_t id, absl::Status why) {
  End(id, std::move(why));
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
}

void Http2Session::End(std::int32_t id, absl::StatusOr<Response> response, bool repeat) {
  auto ended = streams_.extract(id);
  std::shared_ptr<Exchange> exchange = std::move(ended.mapped().exchange);
  if (exchange->streaming()) news_.push_back(exchange);
  outcomes_.push_back({.exchange = std::move(exchange), .response = std::move(response), .repeat = repeat});
}

}  // namespace lmbroker::http
