#include "service/h2/session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "service/crypto/openssl_ptr.h"
#include "service/http/nghttp2_ptr.h"

namespace lmbroker::h2 {
namespace {

using http::ToView;

// What a client may send of a request, and of all on a connection, before we have taken any of it. It is taken as it
// comes, so this bounds nothing but the time on its way.
constexpr std::int32_t kStreamWindow = 1 << 20;
constexpr std::int32_t kConnectionWindow = 8 << 20;

// Without memory nothing safe can follow, and nghttp2 has no other reason to refuse these calls.
void Check(int result, std::string_view call) { crypto::CheckOpenssl(result == 0, call); }

}  // namespace

// What nghttp2 calls; `user_data` is the session.
struct Session::Callbacks {
  static Session& Of(void* user_data) { return *static_cast<Session*>(user_data); }
  static bool IsRequest(const nghttp2_frame& frame) {
    return frame.hd.type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_REQUEST;
  }

  static int OnBegin(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (!IsRequest(*frame)) return 0;
    return Of(user_data).Open(frame->hd.stream_id) ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user_data) {
    if (!IsRequest(*frame)) return 0;
    const bool good = Of(user_data).AddHeader(frame->hd.stream_id, ToView(name, name_size), ToView(value, value_size));
    return good ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    Session& self = Of(user_data);
    Stream* const stream = self.Find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (IsRequest(*frame)) {
      self.OnHead(*stream, ends);
    } else if (ends) {
      self.OnEnd(*stream);
    }
    return 0;
  }

  static int OnData(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                    void* user_data) {
    Stream* const stream = Of(user_data).Find(id);
    if (stream != nullptr && stream->handler_ != nullptr) stream->handler_->OnData(ToView(bytes, size));
    return 0;
  }

  static int OnSent(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      Of(user_data).OnAnswered(frame->hd.stream_id);
    }
    return 0;
  }

  static int OnClose(nghttp2_session*, std::int32_t id, std::uint32_t, void* user_data) {
    Of(user_data).Close(id);
    return 0;
  }

  static http::Nghttp2Ptr<nghttp2_session_callbacks> Make() {
    nghttp2_session_callbacks* made = nullptr;
    Check(nghttp2_session_callbacks_new(&made), "nghttp2_session_callbacks_new");
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, OnBegin);
    nghttp2_session_callbacks_set_on_header_callback(made, OnHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, OnData);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, OnSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, OnClose);
    return http::Nghttp2Ptr<nghttp2_session_callbacks>(made);
  }
};

Session::Session(Owner& owner, Limits limits) : owner_(owner), limits_(limits) {
  nghttp2_option* raw_option = nullptr;
  Check(nghttp2_option_new(&raw_option), "nghttp2_option_new");
  const http::Nghttp2Ptr<nghttp2_option> option(raw_option);
  nghttp2_option_set_no_closed_streams(option.get(), 1);  // they are for priorities, which we do not keep
  // gRPC's clients send the values that their callers gave them, with the spaces at their ends.
  nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option.get(), 1);
  // A caller whose deadlines all pass at once is none who resets streams to do harm (CVE-2023-44487).
  nghttp2_option_set_stream_reset_rate_limit(option.get(), 4 * limits.streams, limits.streams);
  nghttp2_session* made = nullptr;
  Check(nghttp2_session_server_new2(&made, Callbacks::Make().get(), this, option.get()), "nghttp2_session_server_new");
  session_.reset(made);
  const std::array settings = {
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, static_cast<std::uint32_t>(limits.streams)},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.header_bytes)},
  };
  Check(nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings.data(), settings.size()), "nghttp2_submit_settings");
  Check(nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0, kConnectionWindow),
        "nghttp2_session_set_local_window_size");
}

void Session::Abandon() {
  for (const auto& [id, stream] : std::exchange(streams_, {})) stream->TellClosed();
}

bool Session::Receive(std::string_view bytes) {
  const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return nghttp2_session_mem_recv(session_.get(), data, bytes.size()) >= 0;
}

void Session::Cut(std::int32_t id) {
  cut_.push_back(id);
  Changed();
}

void Session::Send(std::string& out, std::size_t enough) {
  for (const std::int32_t id : std::exchange(cut_, {})) {
    if (Stream* const stream = Find(id); stream != nullptr) stream->TellClosed();
  }
  while (out.size() < enough) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &bytes);
    if (size <= 0) break;
    out.append(ToView(bytes, static_cast<std::size_t>(size)));
  }
  for (const std::int32_t id : std::exchange(drained_, {})) {
    if (Stream* const stream = Find(id); stream != nullptr) stream->TellSent();
  }
}

void Session::AnnounceEnd() {
  nghttp2_submit_shutdown_notice(session_.get());
  Changed();
}

void Session::End() {
  ended_ = true;
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_.get()),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  Changed();
}

std::vector<std::int32_t> Session::Ids() const {
  std::vector<std::int32_t> ids;
  ids.reserve(streams_.size());
  for (const auto& [id, stream] : streams_) ids.push_back(id);
  return ids;
}

Stream* Session::Find(std::int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

// False when the client will be told that it was not taken: nghttp2 sees to that once it has told the end.
bool Session::Open(std::int32_t id) {
  if (!ended_) streams_.emplace(id, std::make_unique<Stream>(*this, id));
  return !ended_;
}

// False when it is too much: compressed, a little may stand for any number of fields.
bool Session::AddHeader(std::int32_t id, std::string_view name, std::string_view value) {
  Stream* const stream = Find(id);
  if (stream == nullptr) return true;
  stream->head_bytes_ += name.size() + value.size() + 32;  // as RFC 9113, section 6.5.2, counts them
  if (stream->head_bytes_ <= limits_.header_bytes) stream->head_.Add(name, value);
  return stream->head_bytes_ <= 4 * limits_.header_bytes;
}

void Session::OnHead(Stream& stream, bool ends) {
  stream.handler_ = &owner_.OnRequest(stream, stream.head_bytes_ <= limits_.header_bytes);
  if (ends) OnEnd(stream);
}

void Session::OnEnd(Stream& stream) {
  stream.request_ended_ = true;
  if (stream.handler_ != nullptr) stream.handler_->OnEnd();
}

// The answer is out. What is left of the request is not awaited (RFC 9113, section 8.1).
void Session::OnAnswered(std::int32_t id) {
  const Stream* const stream = Find(id);
  if (stream == nullptr || stream->request_ended_) return;
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

void Session::Close(std::int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const std::unique_ptr<Stream> closed = std::move(found->second);
  streams_.erase(found);
  closed->TellClosed();
}

}  // namespace lmbroker::h2
