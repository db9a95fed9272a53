#pragma once

// A portal's HTTP/2, in memory.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

namespace lmbroker {

// The server's side of HTTP/2 on one connection: bytes in, bytes out. Writes down what was asked, and answers as told.
class Http2Server {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  struct Options {
    std::optional<std::uint32_t> most_streams;  // none: it says nothing of them
    std::int32_t window = 65'535;               // what may come of one request, and of all, before it was received
  };
  struct Request {
    Fields fields;
    std::set<std::string> never_indexed;  // names of the fields that no table on the way may keep
    std::string body;
    bool ended = false;                  // in order
    std::optional<std::uint32_t> reset;  // the error that the client gave

    // Empty when there is none.
    std::string Field(std::string_view name) const {
      const auto found =
          std::find_if(fields.begin(), fields.end(), [&](const auto& each) { return each.first == name; });
      return found == fields.end() ? std::string() : found->second;
    }
  };

  Http2Server() : Http2Server(Options()) {}
  explicit Http2Server(const Options& options) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, OnBegin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_max_send_header_block_length(option, 1 << 20);  // more than a client takes
    nghttp2_session* made = nullptr;
    if (nghttp2_session_server_new2(&made, callbacks, this, option) != 0) std::abort();
    session_.reset(made);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    std::vector<nghttp2_settings_entry> settings = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(options.window)}};
    if (options.most_streams.has_value()) {
      settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, *options.most_streams});
    }
    nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0, options.window);
  }
  Http2Server(const Http2Server&) = delete;
  Http2Server& operator=(const Http2Server&) = delete;

  // A whole answer.
  void Answer(std::int32_t id, int status, const Fields& fields = {}, std::string body = {}) {
    Respond(id, HeadOf(status, fields), std::move(body), /*end=*/true);
  }
  // The beginning of one, and more of it: then Data or Trailers end it.
  void Begin(std::int32_t id, int status, const Fields& fields = {}) {
    Respond(id, HeadOf(status, fields), "", /*end=*/false);
  }
  void Data(std::int32_t id, std::string_view bytes, bool end = false) {
    Download& download = *downloads_.at(id);
    download.bytes += bytes;
    download.ended = end;
    nghttp2_session_resume_data(session_.get(), id);
  }
  void Trailers(std::int32_t id, Fields fields) {
    downloads_.at(id)->trailers = std::move(fields);
    Data(id, "", /*end=*/true);
  }
  // An answer with a head as it is told, which may be none.
  void Respond(std::int32_t id, const Fields& head, std::string body, bool end) {
    const bool has_body = !end || !body.empty();
    auto download = std::make_unique<Download>();
    download->bytes = std::move(body);
    download->ended = end;
    nghttp2_data_provider provider{};
    provider.source.ptr = download.get();
    provider.read_callback = ReadBody;
    const std::vector<nghttp2_nv> fields = ToNv(head);
    nghttp2_submit_response(session_.get(), id, fields.data(), fields.size(), has_body ? &provider : nullptr);
    downloads_[id] = std::move(download);
  }
  void Interim(std::int32_t id, int status, const Fields& more = {}) {
    const Fields head = HeadOf(status, more);
    const std::vector<nghttp2_nv> fields = ToNv(head);
    nghttp2_submit_headers(session_.get(), NGHTTP2_FLAG_NONE, id, nullptr, fields.data(), fields.size(), nullptr);
  }
  void Reset(std::int32_t id, std::uint32_t error) {
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, error);
  }
  // Takes no request behind `last_stream`.
  void GoAway(std::int32_t last_stream, std::uint32_t error = NGHTTP2_NO_ERROR) {
    nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, last_stream, error, nullptr, 0);
  }
  void LimitStreams(std::uint32_t most) {
    const nghttp2_settings_entry limit{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, most};
    nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, &limit, 1);
  }
  void Ping() { nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr); }

  // Takes what the client sent. False when that is no HTTP/2.
  bool Receive(std::string_view bytes) {
    const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    return nghttp2_session_mem_recv(session_.get(), data, bytes.size()) >= 0;
  }
  // All that there is to send, as far as the client's windows let it.
  std::string Send() {
    std::string out;
    const std::uint8_t* bytes = nullptr;
    ssize_t size = 0;
    while ((size = nghttp2_session_mem_send(session_.get(), &bytes)) > 0) {
      out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
    return out;
  }
  // Nothing will be received or sent any more.
  bool over() const {
    return nghttp2_session_want_read(session_.get()) == 0 && nghttp2_session_want_write(session_.get()) == 0;
  }

  // By stream.
  const std::map<std::int32_t, Request>& requests() const { return requests_; }
  const Request& request(std::int32_t id) const { return requests_.at(id); }
  // Those that have ended since the last call.
  std::vector<std::int32_t> TakeEnded() { return std::exchange(ended_, {}); }
  // How many streams are open: neither answered whole nor reset.
  std::size_t open() const { return open_; }
  // How much of an answer's body went out.
  std::size_t sent(std::int32_t id) const { return downloads_.at(id)->taken; }
  int pongs() const { return pongs_; }
  // The error with which the client left.
  const std::optional<std::uint32_t>& goaway() const { return goaway_; }

 private:
  struct Download {
    std::string bytes;
    std::size_t taken = 0;
    bool ended = false;
    std::optional<Fields> trailers;
  };
  struct FreeSession {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };

  static Fields HeadOf(int status, const Fields& more) {
    Fields head = {{":status", std::to_string(status)}};
    head.insert(head.end(), more.begin(), more.end());
    return head;
  }
  // nghttp2 copies what it is given, and writes to none of it.
  static std::uint8_t* ToBytes(const std::string& text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }
  static std::vector<nghttp2_nv> ToNv(const Fields& fields) {
    std::vector<nghttp2_nv> all;
    for (const auto& [name, value] : fields) {
      all.push_back({ToBytes(name), ToBytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    return all;
  }
  static Http2Server& Of(void* user_data) { return *static_cast<Http2Server*>(user_data); }

  static ssize_t ReadBody(nghttp2_session* session, std::int32_t id, std::uint8_t* into, std::size_t room,
                          std::uint32_t* flags, nghttp2_data_source* source, void*) {
    Download& download = *static_cast<Download*>(source->ptr);
    const std::size_t taken = std::min(room, download.bytes.size() - download.taken);
    if (taken == 0 && !download.ended) return NGHTTP2_ERR_DEFERRED;
    std::copy_n(download.bytes.data() + download.taken, taken, into);
    download.taken += taken;
    if (download.taken < download.bytes.size() || !download.ended) return static_cast<ssize_t>(taken);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (download.trailers.has_value()) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const std::vector<nghttp2_nv> fields = ToNv(*download.trailers);
      nghttp2_submit_trailer(session, id, fields.data(), fields.size());
    }
    return static_cast<ssize_t>(taken);
  }
  static int OnBegin(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    Of(user_data).requests_[frame->hd.stream_id];
    ++Of(user_data).open_;
    return 0;
  }
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t flags, void* user_data) {
    Request& request = Of(user_data).requests_[frame->hd.stream_id];
    request.fields.emplace_back(std::string(reinterpret_cast<const char*>(name), name_size),
                                std::string(reinterpret_cast<const char*>(value), value_size));
    if ((flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0) request.never_indexed.insert(request.fields.back().first);
    return 0;
  }
  static int OnData(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                    void* user_data) {
    Of(user_data).requests_[id].body.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Server& self = Of(user_data);
    const std::int32_t id = frame->hd.stream_id;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA:
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) break;
        self.requests_[id].ended = true;
        self.ended_.push_back(id);
        break;
      case NGHTTP2_RST_STREAM:
        self.requests_[id].reset = frame->rst_stream.error_code;
        break;
      case NGHTTP2_GOAWAY:
        self.goaway_ = frame->goaway.error_code;
        break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) ++self.pongs_;
        break;
      default:
        break;
    }
    return 0;
  }
  static int OnClose(nghttp2_session*, std::int32_t id, std::uint32_t, void* user_data) {
    if (Of(user_data).requests_.count(id) > 0) --Of(user_data).open_;
    return 0;
  }

  std::map<std::int32_t, std::unique_ptr<Download>> downloads_;
  std::map<std::int32_t, Request> requests_;
  std::vector<std::int32_t> ended_;
  std::size_t open_ = 0;
  int pongs_ = 0;
  std::optional<std::uint32_t> goaway_;
  std::unique_ptr<nghttp2_session, FreeSession> session_;
};

}  // namespace lmbroker
