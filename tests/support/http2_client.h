#pragma once

// A caller of service/h2: its HTTP/2, in memory, and the TLS that can carry it.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "service/base/descriptor.h"
#include "service/crypto/openssl_ptr.h"
#include "service/h2/server_tls.h"
#include "tests/support/test_pki.h"

namespace lmbroker {

// The client's side of HTTP/2 on one connection: bytes in, bytes out. Writes down how each stream was answered.
class Http2Client {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  struct Options {
    std::int32_t stream_window = 65'535;  // what may come of one answer, and of all, before it was received
    std::int32_t connection_window = 65'535;
  };
  struct Answer {
    Fields head;
    std::string body;
    Fields trailers;
    bool ended = false;                  // in order
    std::optional<std::uint32_t> reset;  // the error that the server gave
  };
  struct Goaway {
    std::int32_t last_stream = 0;
    std::uint32_t error = 0;
  };

  Http2Client() : Http2Client(Options()) {}
  explicit Http2Client(const Options& options) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session* made = nullptr;
    if (nghttp2_session_client_new(&made, callbacks, this) != 0) std::abort();
    session_.reset(made);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry window{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                        static_cast<std::uint32_t>(options.stream_window)};
    nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, &window, 1);
    nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0, options.connection_window);
  }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  // A POST, with more fields if wanted.
  static Fields HeadFor(const std::string& path, const Fields& more = {}) {
    Fields head = {{":method", "POST"}, {":scheme", "https"}, {":authority", "lmbroker"}, {":path", path}};
    head.insert(head.end(), more.begin(), more.end());
    return head;
  }

  // Begins a request, or makes all of it if `end`. Gives its stream.
  std::int32_t Request(const Fields& head, std::string body = {}, bool end = true) {
    const bool has_body = !end || !body.empty();
    auto upload = std::make_unique<Upload>(Upload{.bytes = std::move(body), .taken = 0, .ended = end});
    nghttp2_data_provider provider{};
    provider.source.ptr = upload.get();
    provider.read_callback = ReadBody;
    std::vector<nghttp2_nv> fields;
    for (const auto& [name, value] : head) {
      fields.push_back({ToBytes(name), ToBytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    const std::int32_t id = nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(),
                                                   has_body ? &provider : nullptr, nullptr);
    uploads_[id] = std::move(upload);
    answers_[id];
    return id;
  }
  // More of a request that has not ended.
  void Data(std::int32_t id, std::string_view bytes, bool end = false) {
    Upload& upload = *uploads_.at(id);
    upload.bytes += bytes;
    upload.ended = end;
    nghttp2_session_resume_data(session_.get(), id);
  }
  void Reset(std::int32_t id) { nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL); }
  void Ping() { nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr); }

  // Takes what the server sent. False when that is no HTTP/2.
  bool Receive(std::string_view bytes) {
    const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    return nghttp2_session_mem_recv(session_.get(), data, bytes.size()) >= 0;
  }
  // All that there is to send.
  std::string Send() {
    std::string out;
    const std::uint8_t* bytes = nullptr;
    ssize_t size = 0;
    while ((size = nghttp2_session_mem_send(session_.get(), &bytes)) > 0) {
      out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
    return out;
  }

  const Answer& answer(std::int32_t id) const { return answers_.at(id); }
  // The last one that came.
  const std::optional<Goaway>& goaway() const { return goaway_; }
  int pongs() const { return pongs_; }
  // How many streams the server takes at a time, as far as it has told.
  std::uint32_t most_streams() const {
    return nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  }

 private:
  struct Upload {
    std::string bytes;
    std::size_t taken = 0;
    bool ended = false;
  };
  struct FreeSession {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };

  // nghttp2 copies what it is given, and writes to none of it.
  static std::uint8_t* ToBytes(const std::string& text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }
  static Http2Client& Of(void* user_data) { return *static_cast<Http2Client*>(user_data); }

  static ssize_t ReadBody(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room, std::uint32_t* flags,
                          nghttp2_data_source* source, void*) {
    Upload& upload = *static_cast<Upload*>(source->ptr);
    const std::size_t taken = std::min(room, upload.bytes.size() - upload.taken);
    std::copy_n(upload.bytes.data() + upload.taken, taken, into);
    upload.taken += taken;
    const bool all = upload.taken == upload.bytes.size();
    if (all && upload.ended) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (taken == 0 && !upload.ended) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(taken);
  }
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user_data) {
    Answer& answer = Of(user_data).answers_[frame->hd.stream_id];
    Fields& fields = frame->headers.cat == NGHTTP2_HCAT_RESPONSE ? answer.head : answer.trailers;
    fields.emplace_back(std::string(reinterpret_cast<const char*>(name), name_size),
                        std::string(reinterpret_cast<const char*>(value), value_size));
    return 0;
  }
  static int OnData(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                    void* user_data) {
    Of(user_data).answers_[id].body.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Client& self = Of(user_data);
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA:
        if (ends) self.answers_[frame->hd.stream_id].ended = true;
        break;
      case NGHTTP2_RST_STREAM:
        self.answers_[frame->hd.stream_id].reset = frame->rst_stream.error_code;
        break;
      case NGHTTP2_GOAWAY:
        self.goaway_ = {.last_stream = frame->goaway.last_stream_id, .error = frame->goaway.error_code};
        break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) ++self.pongs_;
        break;
      default:
        break;
    }
    return 0;
  }

  std::map<std::int32_t, std::unique_ptr<Upload>> uploads_;
  std::map<std::int32_t, Answer> answers_;
  std::optional<Goaway> goaway_;
  int pongs_ = 0;
  std::unique_ptr<nghttp2_session, FreeSession> session_;
};

// Two connected sockets, which block: a server's and a client's. The latter gives up after a while, so that a server
// that forgets an answer makes a test fail rather than wait for ever.
inline std::pair<Descriptor, Descriptor> SocketPair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
  const timeval longest{.tv_sec = 10, .tv_usec = 0};
  setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

inline void MakeNonBlocking(int socket) { fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK); }

// All certificates of a PEM text.
inline std::vector<h2::Certificate> ParseCertificates(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                           BIO_free_all);
  std::vector<h2::Certificate> certificates;
  while (X509* const each = PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)) certificates.emplace_back(each);
  ERR_clear_error();  // the end of the text is one
  return certificates;
}

inline h2::PrivateKey ParseKey(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                           BIO_free_all);
  return h2::PrivateKey(PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr));
}

inline h2::ServerIdentity ToServerIdentity(const TestCertificate& certificate) {
  return {.chain = ParseCertificates(certificate.certificate), .key = ParseKey(certificate.key)};
}

// The client's end of a TLS connection on a socket that is connected already. Each call blocks.
class TlsClient {
 public:
  using Resumable = crypto::OpensslPtr<SSL_SESSION, SSL_SESSION_free>;
  struct Options {
    const TestCertificate* certificate = nullptr;  // none: it shows none
    std::string protocol = "h2";                   // empty: it offers none
    int highest_version = TLS1_3_VERSION;
    SSL_SESSION* resume = nullptr;
  };

  TlsClient(Descriptor socket, const Options& options)
      : socket_(std::move(socket)), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX* const context = context_.get();
    SSL_CTX_set_cipher_list(context, "DEFAULT:@SECLEVEL=0");  // old protocol versions are only to be had so
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, options.highest_version);
    if (options.certificate != nullptr) Use(*options.certificate);
    tls_.reset(SSL_new(context));
    if (!options.protocol.empty()) {
      const std::string offer = static_cast<char>(options.protocol.size()) + options.protocol;
      SSL_set_alpn_protos(tls_.get(), reinterpret_cast<const unsigned char*>(offer.data()),
                          static_cast<unsigned int>(offer.size()));
    }
    if (options.resume != nullptr) SSL_set_session(tls_.get(), options.resume);
    SSL_set_fd(tls_.get(), socket_.get());
  }

  // Before it fails it tells the server, who may be waiting.
  bool Connect() {
    const bool connected = SSL_connect(tls_.get()) == 1;
    ERR_clear_error();
    if (!connected) shutdown(socket_.get(), SHUT_WR);
    return connected;
  }
  // What came with the next record; empty at the end.
  std::string Read() {
    std::array<char, 16 << 10> bytes{};
    const int size = SSL_read(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
    ERR_clear_error();
    return size > 0 ? std::string(bytes.data(), static_cast<std::size_t>(size)) : std::string();
  }
  bool Write(std::string_view bytes) {
    const bool written = bytes.empty() || SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
    ERR_clear_error();
    return written;
  }
  // The record that Write would send.
  std::string Seal(std::string_view bytes) {
    BIO* const socket = SSL_get_wbio(tls_.get());
    BIO_up_ref(socket);
    SSL_set0_wbio(tls_.get(), BIO_new(BIO_s_mem()));
    Write(bytes);
    char* data = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(tls_.get()), &data);
    std::string record(data, static_cast<std::size_t>(size));
    SSL_set0_wbio(tls_.get(), socket);
    return record;
  }
  int socket() const { return socket_.get(); }
  // Whether the server has said good-bye, and did not just go.
  bool told_end() const { return (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  bool resumed() const { return SSL_session_reused(tls_.get()) == 1; }
  Resumable session() const { return Resumable(SSL_get1_session(tls_.get())); }

 private:
  void Use(const TestCertificate& certificate) {
    const auto chain = ParseCertificates(certificate.certificate);
    SSL_CTX_use_certificate(context_.get(), chain.front().get());
    for (std::size_t i = 1; i < chain.size(); ++i) SSL_CTX_add1_chain_cert(context_.get(), chain[i].get());
    SSL_CTX_use_PrivateKey(context_.get(), ParseKey(certificate.key).get());
  }

  const Descriptor socket_;
  const crypto::OpensslPtr<SSL_CTX, SSL_CTX_free> context_;
  crypto::OpensslPtr<SSL, SSL_free> tls_;
};

}  // namespace lmbroker
