// An open-loop HTTP/2 client: calls leave at a fixed rate, whether answers come or not, and each is timed from the
// moment when it should have left. h2load sends what is due in bursts of 10 ms, which is what p99 would then show.
//
//   bench_paced PORT CA CERTIFICATE PATH BODY_FILE CONTENT_TYPE RATE SECONDS CONNECTIONS
//
// Over TLS to 127.0.0.1, whose certificate is issued by CA; CERTIFICATE is the client's, with its key, and "-" for
// none. BODY_FILE "-": a GET. Prints "CALLS FAILED P50_US P99_US REFUSED REFUSED_P99_US TOOK_US", the last from the
// first call to the last answer; a call failed when its status is not 200 or its grpc-status is not 0, and was refused
// when that is 8 (RESOURCE_EXHAUSTED). A call without an answer after 10 s ends the measurement.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>

namespace {

using SteadyClock = std::chrono::steady_clock;
using TimePoint = SteadyClock::time_point;

constexpr std::string_view kResourceExhausted = "8";
constexpr auto kPatience = std::chrono::seconds(10);

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "bench_paced: %s (%s)\n", what, std::strerror(errno));
  std::exit(EXIT_FAILURE);
}

struct Call {
  std::string path;
  std::string content_type;
  std::string body;
};

struct Outcomes {
  std::vector<std::int64_t> durations_us;
  std::vector<std::int64_t> refused_us;  // of these, the calls that were refused
  std::size_t failed = 0;
  std::int64_t took_us = 0;  // all of them together
};

// 0 of none. Sorts them.
std::int64_t Percentile(std::vector<std::int64_t>& durations, std::size_t percent) {
  std::sort(durations.begin(), durations.end());
  return durations.empty() ? 0 : durations[durations.size() * percent / 100];
}

SSL_CTX* MakeContext(const char* ca, const std::string& certificate) {
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_load_verify_locations(context, ca, nullptr) != 1) Fail("the authority's certificate cannot be read");
  if (certificate != "-" && (SSL_CTX_use_certificate_file(context, certificate.c_str(), SSL_FILETYPE_PEM) != 1 ||
                             SSL_CTX_use_PrivateKey_file(context, certificate.c_str(), SSL_FILETYPE_PEM) != 1)) {
    Fail("the certificate and its key cannot be read");
  }
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>("\x02h2"), 3);
  return context;
}

// One HTTP/2 connection and the calls on it.
class Connection {
 public:
  Connection(std::uint16_t port, SSL_CTX* context, const Call& call, Outcomes& outcomes)
      : call_(call), outcomes_(outcomes), tls_(SSL_new(context)) {
    Connect(port);
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnStreamClose);
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
    Flush();
  }
  ~Connection() {
    nghttp2_session_del(session_);
    SSL_free(tls_);
    close(socket_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int socket() const { return socket_; }
  bool WantsToWrite() const { return !unsent_.empty(); }

  // Sends one call, which was due at `due`.
  void Submit(TimePoint due) {
    const bool posts = !call_.body.empty();
    const std::array headers = {Header(":method", posts ? "POST" : "GET"),  Header(":scheme", "http"),
                                Header(":authority", "localhost"),          Header(":path", call_.path),
                                Header("content-type", call_.content_type), Header("te", "trailers")};
    nghttp2_data_provider provider = {.source = {.ptr = this}, .read_callback = ReadBody};
    const std::int32_t stream =
        nghttp2_submit_request(session_, nullptr, headers.data(), headers.size(), posts ? &provider : nullptr, nullptr);
    if (stream < 0) Fail("no stream left");
    calls_.emplace(stream, State{.due = due});
    Flush();
  }

  void Read() {
    std::array<std::uint8_t, 65536> buffer;
    do {
      const int got = SSL_read(tls_, buffer.data(), static_cast<int>(buffer.size()));
      if (got <= 0 && SSL_get_error(tls_, got) == SSL_ERROR_WANT_READ) break;
      if (got <= 0) Fail("connection lost");
      if (nghttp2_session_mem_recv(session_, buffer.data(), static_cast<std::size_t>(got)) != got) Fail("not HTTP/2");
    } while (SSL_has_pending(tls_) == 1);
    Flush();
  }

  void Flush() {
    const std::uint8_t* data = nullptr;
    for (ssize_t size = 0; (size = nghttp2_session_mem_send(session_, &data)) > 0;) {
      unsent_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    }
    if (unsent_.empty()) return;
    const int sent = SSL_write(tls_, unsent_.data(), static_cast<int>(unsent_.size()));
    if (sent <= 0 && SSL_get_error(tls_, sent) != SSL_ERROR_WANT_WRITE) Fail("connection lost");
    if (sent > 0) unsent_.erase(0, static_cast<std::size_t>(sent));
  }

 private:
  struct State {
    TimePoint due;
    bool failed = false;
    bool refused = false;
    std::size_t body_sent = 0;
  };

  void Connect(std::uint16_t port) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) Fail("cannot connect");
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    SSL_set_fd(tls_, socket_);
    if (SSL_connect(tls_) != 1) Fail("no TLS");
    fcntl(socket_, F_SETFL, O_NONBLOCK);
  }

  static nghttp2_nv Header(std::string_view name, std::string_view value) {
    const auto bytes = [](std::string_view text) {  // nghttp2 copies them
      return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    };
    return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
  }

  static ssize_t ReadBody(nghttp2_session* /*session*/, std::int32_t stream, std::uint8_t* out, std::size_t room,
                          std::uint32_t* flags, nghttp2_data_source* source, void* /*user*/) {
    Connection& self = *static_cast<Connection*>(source->ptr);
    State& state = self.calls_.at(stream);
    const std::size_t size = std::min(room, self.call_.body.size() - state.body_sent);
    std::memcpy(out, self.call_.body.data() + state.body_sent, size);
    state.body_sent += size;
    if (state.body_sent == self.call_.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  static int OnHeader(nghttp2_session* /*session*/, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t /*flags*/,
                      void* user) {
    const std::string_view header(reinterpret_cast<const char*>(name), name_size);
    const std::string_view text(reinterpret_cast<const char*>(value), value_size);
    if ((header == ":status" && text != "200") || (header == "grpc-status" && text != "0")) {
      State& state = static_cast<Connection*>(user)->calls_.at(frame->hd.stream_id);
      state.failed = true;
      state.refused = header == "grpc-status" && text == kResourceExhausted;
    }
    return 0;
  }

  static int OnStreamClose(nghttp2_session* /*session*/, std::int32_t stream, std::uint32_t error, void* user) {
    Connection& self = *static_cast<Connection*>(user);
    const auto call = self.calls_.find(stream);
    const auto took = SteadyClock::now() - call->second.due;
    const std::int64_t took_us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    self.outcomes_.durations_us.push_back(took_us);
    if (call->second.refused) self.outcomes_.refused_us.push_back(took_us);
    if (error != NGHTTP2_NO_ERROR || call->second.failed) ++self.outcomes_.failed;
    self.calls_.erase(call);
    return 0;
  }

  const Call& call_;
  Outcomes& outcomes_;
  SSL* tls_;
  int socket_ = -1;
  nghttp2_session* session_ = nullptr;
  std::string unsent_;
  std::unordered_map<std::int32_t, State> calls_;  // under way, by stream
};

// Waits until one of the connections can go on or it is `until`, and lets those go on that can.
void Serve(std::vector<std::unique_ptr<Connection>>& connections, TimePoint until) {
  std::vector<pollfd> watched(connections.size());
  for (std::size_t i = 0; i < connections.size(); ++i) {
    const int events = POLLIN | (connections[i]->WantsToWrite() ? POLLOUT : 0);
    watched.at(i) = {.fd = connections[i]->socket(), .events = static_cast<std::int16_t>(events), .revents = 0};
  }
  const auto left = std::max(SteadyClock::duration::zero(), until - SteadyClock::now());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  const timespec timeout{.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count()};
  if (ppoll(watched.data(), watched.size(), &timeout, nullptr) <= 0) return;
  for (std::size_t i = 0; i < connections.size(); ++i) {
    if ((watched.at(i).revents & POLLOUT) != 0) connections[i]->Flush();
    if ((watched.at(i).revents & (POLLIN | POLLHUP | POLLERR)) != 0) connections[i]->Read();
  }
}

Outcomes Run(std::uint16_t port, SSL_CTX* context, const Call& call, double rate, std::size_t calls,
             std::size_t most_connections) {
  Outcomes outcomes;
  outcomes.durations_us.reserve(calls);
  std::vector<std::unique_ptr<Connection>> connections;
  for (std::size_t i = 0; i < most_connections; ++i) {
    connections.push_back(std::make_unique<Connection>(port, context, call, outcomes));
  }
  const TimePoint start = SteadyClock::now();
  const auto due_of = [&](std::size_t i) {
    const std::chrono::duration<double> offset(static_cast<double>(i) / rate);
    return start + std::chrono::duration_cast<SteadyClock::duration>(offset);
  };
  const TimePoint end = due_of(calls) + kPatience;
  std::size_t submitted = 0;
  while (outcomes.durations_us.size() < calls) {
    const TimePoint now = SteadyClock::now();
    if (now > end) Fail("calls without an answer");
    for (; submitted < calls && due_of(submitted) <= now; ++submitted) {
      connections[submitted % connections.size()]->Submit(due_of(submitted));
    }
    Serve(connections, submitted < calls ? due_of(submitted) : end);
  }
  outcomes.took_us = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - start).count();
  return outcomes;
}

std::string BodyOf(const std::string& file) {
  if (file == "-") return "";
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 10) {
    std::fputs("usage: bench_paced PORT CA CERTIFICATE PATH BODY_FILE CONTENT_TYPE RATE SECONDS CONNECTIONS\n", stderr);
    return EXIT_FAILURE;
  }
  const double rate = std::atof(argv[7]);
  const auto calls = static_cast<std::size_t>(rate * std::atof(argv[8]));
  if (calls == 0) Fail("nothing to send");
  const auto connections = static_cast<std::size_t>(std::atoi(argv[9]));
  if (connections == 0) Fail("no connection");
  prctl(PR_SET_TIMERSLACK, 1);    // ns: ppoll wakes when it is time, not up to 50 µs later
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): it can always be ignored
  SSL_CTX* const context = MakeContext(argv[2], argv[3]);
  const Call call{.path = argv[4], .content_type = argv[6], .body = BodyOf(argv[5])};
  Outcomes outcomes = Run(static_cast<std::uint16_t>(std::atoi(argv[1])), context, call, rate, calls, connections);
  SSL_CTX_free(context);
  const std::array<std::int64_t, 6> figures = {
      static_cast<std::int64_t>(outcomes.failed), Percentile(outcomes.durations_us, 50),
      Percentile(outcomes.durations_us, 99),      static_cast<std::int64_t>(outcomes.refused_us.size()),
      Percentile(outcomes.refused_us, 99),        outcomes.took_us};
  std::printf("%zu", calls);
  for (const std::int64_t figure : figures) std::printf(" %jd", static_cast<std::intmax_t>(figure));
  std::printf("\n");
  return EXIT_SUCCESS;
}
