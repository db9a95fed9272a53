#include "service/http/tls_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <utility>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "service/base/error.h"
#include "service/http/ip_address.h"
#include "service/http/unreachable.h"

namespace lmbroker::http {
namespace {

// What ALPN offers, as it stands on the wire: the one that is preferred first.
constexpr std::string_view kBoth = "\x02h2\x08http/1.1";
constexpr std::string_view kHttp1 = "\x08http/1.1";

IoResult ToIoResult(CURLcode code, std::size_t bytes) {
  if (code == CURLE_OK && bytes > 0) return {IoResult::State::kDone, bytes};
  if (code == CURLE_AGAIN) return {IoResult::State::kAgain, 0};
  ERR_clear_error();  // other TLS on this thread must not find it
  return {IoResult::State::kBroken, 0};
}

// Where a TLS context, of which libcurl makes one for each connection, says whose it is.
int OwnerIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

std::uint32_t EpollEvents(int what) {
  std::uint32_t events = 0;
  if ((what & CURL_POLL_IN) != 0) events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) events |= EPOLLOUT;
  return events;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsConnection>> TlsConnection::Create(const Upstream& upstream, const TrustStore& trust,
                                                                     const Clock& clock, EventLoop& loop) {
  std::unique_ptr<TlsConnection> connection(new TlsConnection(upstream, trust, clock, loop));
  if (!connection->SetOptions()) {
    return Refuse(Reason::kInternal, "The broker cannot set up a connection; tell its operators.");
  }
  return connection;
}

TlsConnection::TlsConnection(const Upstream& upstream, const TrustStore& trust, const Clock& clock, EventLoop& loop)
    : upstream_(upstream),
      trust_(trust),
      clock_(clock),
      loop_(loop),
      multi_(curl_multi_init()),
      easy_(curl_easy_init()) {}

TlsConnection::~TlsConnection() { Close(); }

bool TlsConnection::SetOptions() {
  if (multi_ == nullptr || easy_ == nullptr) return false;
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(easy_.get(), option, value) == CURLE_OK;
  };
  set(CURLOPT_URL, fmt::format("https://{}:{}/", upstream_.host, upstream_.port).c_str());
  set(CURLOPT_CONNECT_ONLY, 1L);
  set(CURLOPT_PROTOCOLS_STR, "https");
  set(CURLOPT_SSL_ENABLE_ALPN, 0L);  // OnTlsContext offers what we speak, which libcurl need not know
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_NODELAY, 1L);
  // Only what the configuration says: no proxy and no password file from the environment.
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOPROXY, "*");
  set(CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
  // Closing must not wait for a name server that hangs.
  set(CURLOPT_QUICK_EXIT, 1L);

  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});  // or newer
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  // No authorities of libcurl's own; ours come with the TLS context.
  set(CURLOPT_CAINFO, static_cast<char*>(nullptr));
  set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  set(CURLOPT_SSL_CTX_FUNCTION, &OnTlsContext);
  set(CURLOPT_SSL_CTX_DATA, this);

  set(CURLOPT_OPENSOCKETFUNCTION, &OnOpenSocket);
  set(CURLOPT_OPENSOCKETDATA, this);
  if (!upstream_.resolve.empty()) {
    resolve_.reset(
        curl_slist_append(nullptr, fmt::format("{}:{}:{}", upstream_.host, upstream_.port, upstream_.resolve).c_str()));
    set(CURLOPT_RESOLVE, resolve_.get());
  }
  const auto set_multi = [&](CURLMoption option, auto value) {
    good = good && curl_multi_setopt(multi_.get(), option, value) == CURLM_OK;
  };
  set_multi(CURLMOPT_SOCKETFUNCTION, &OnSocketWanted);
  set_multi(CURLMOPT_SOCKETDATA, this);
  set_multi(CURLMOPT_TIMERFUNCTION, &OnTimerWanted);
  set_multi(CURLMOPT_TIMERDATA, this);
  return good;
}

void TlsConnection::Connect(absl::Duration timeout, Connected connected) {
  Close();
  connected_ = std::move(connected);
  address_refused_ = false;
  phase_ = Phase::kResolve;
  curl_easy_setopt(easy_.get(), CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(timeout)));
  attached_ = true;
  // Asks for a timer at once, which then drives the attempt.
  curl_multi_add_handle(multi_.get(), easy_.get());
}

void TlsConnection::Close() {
  if (!attached_) return;
  attached_ = false;
  connected_ = nullptr;
  if (socket_ != CURL_SOCKET_BAD) loop_.Unwatch(socket_);
  socket_ = CURL_SOCKET_BAD;
  tls_ = nullptr;
  curl_multi_remove_handle(multi_.get(), easy_.get());  // closes the connection too, because it is CONNECT_ONLY
  loop_.CancelTimer(std::exchange(timer_, {}));
}

IoResult TlsConnection::Send(std::string_view bytes) {
  std::size_t sent = 0;
  const CURLcode code = curl_easy_send(easy_.get(), bytes.data(), bytes.size(), &sent);
  return ToIoResult(code, sent);
}

IoResult TlsConnection::Receive(std::span<char> buffer) {
  std::size_t received = 0;
  const CURLcode code = curl_easy_recv(easy_.get(), buffer.data(), buffer.size(), &received);
  if (code == CURLE_OK && received == 0 && PortalSaidGoodBye()) return {IoResult::State::kClosed, 0};
  return ToIoResult(code, received);
}

bool TlsConnection::PortalSaidGoodBye() const {
  // libcurl makes no difference between TLS's close_notify and an end of TCP, which anyone on the way can forge.
  return tls_ != nullptr && (SSL_get_shutdown(tls_) & SSL_RECEIVED_SHUTDOWN) != 0;
}

bool TlsConnection::multiplexes() const {
  const unsigned char* chosen = nullptr;
  unsigned int size = 0;
  if (tls_ != nullptr) SSL_get0_alpn_selected(tls_, &chosen, &size);
  return std::string_view(reinterpret_cast<const char*>(chosen), size) == "h2";
}

int TlsConnection::OnSocketWanted(CURL*, curl_socket_t socket, int what, void* self, void*) {
  auto& connection = *static_cast<TlsConnection*>(self);
  if (what == CURL_POLL_REMOVE) {
    connection.loop_.Unwatch(socket);
  } else {
    connection.loop_.Watch(socket, EpollEvents(what), connection);
  }
  return 0;
}

int TlsConnection::OnTimerWanted(CURLM*, long milliseconds, void* self) {
  auto& connection = *static_cast<TlsConnection*>(self);
  connection.loop_.CancelTimer(std::exchange(connection.timer_, {}));
  if (milliseconds >= 0) {
    connection.timer_ = connection.loop_.AddTimer(connection.clock_.Monotonic() + absl::Milliseconds(milliseconds),
                                                  [&connection] { connection.Drive(CURL_SOCKET_TIMEOUT, 0); });
  }
  return 0;
}

curl_socket_t TlsConnection::OnOpenSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& connection = *static_cast<TlsConnection*>(self);
  connection.phase_ = Phase::kConnect;
  const auto ip = IpAddress::FromSocketAddress(&address->addr);
  // Judged here, on the very address that is about to be connected to, so that no later look-up can differ.
  if (!ip.has_value() || (!ip->IsPublic() && !connection.upstream_.allow_private_address)) {
    connection.address_refused_ = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
}

CURLcode TlsConnection::OnTlsContext(CURL*, void* context, void* self) {
  auto& connection = *static_cast<TlsConnection*>(self);
  connection.phase_ = Phase::kTls;
  // A record's head and body in one read instead of two. Harmless here, since we always read until nothing is left.
  SSL_CTX_set_read_ahead(static_cast<SSL_CTX*>(context), 1);
  // libcurl would have the buffers of both directions wiped and freed after each record: 33 KiB a call.
  SSL_CTX_clear_mode(static_cast<SSL_CTX*>(context), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set1_cert_store(static_cast<SSL_CTX*>(context), connection.trust_.get());
  const std::string_view offer = connection.upstream_.http2 ? kBoth : kHttp1;
  SSL_CTX_set_ex_data(static_cast<SSL_CTX*>(context), OwnerIndex(), &connection);
  SSL_CTX_set_info_callback(static_cast<SSL_CTX*>(context), OnTlsProgress);
  SSL_CTX_set_alpn_protos(static_cast<SSL_CTX*>(context), reinterpret_cast<const unsigned char*>(offer.data()),
                          static_cast<unsigned int>(offer.size()));
  return CURLE_OK;
}

void TlsConnection::OnTlsProgress(const SSL* tls, int where, int) {
  if ((where & SSL_CB_HANDSHAKE_DONE) == 0) return;
  static_cast<TlsConnection*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(tls), OwnerIndex()))->tls_ = tls;
}

void TlsConnection::OnEvents(int socket, std::uint32_t events) {
  int what = 0;
  if ((events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
  Drive(socket, what);
}

void TlsConnection::Drive(curl_socket_t socket, int what) {
  int running = 0;
  curl_multi_socket_action(multi_.get(), socket, what, &running);
  int left = 0;
  const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);
  if (message == nullptr || message->msg != CURLMSG_DONE) return;
  const absl::Status outcome = Outcome(message->data.result);
  Connected connected = std::move(connected_);
  connected_ = nullptr;
  if (!outcome.ok()) Close();
  connected(outcome);
}

absl::Status TlsConnection::Outcome(CURLcode code) {
  if (code != CURLE_OK) return Failure(code);
  if (curl_easy_getinfo(easy_.get(), CURLINFO_ACTIVESOCKET, &socket_) != CURLE_OK || socket_ == CURL_SOCKET_BAD) {
    return Unreachable(upstream_.portal, Phase::kConnect, "the connection was lost at once");
  }
  return absl::OkStatus();
}

absl::Status TlsConnection::Failure(CURLcode code) const {
  const auto fail = [&](Phase phase, std::string_view problem) {
    return Unreachable(upstream_.portal, phase, problem);
  };
  if (address_refused_) {
    return fail(Phase::kConnect, "its address is not public, and `allow_private_address` is not set");
  }
  const bool late = code == CURLE_OPERATION_TIMEDOUT;
  switch (phase_) {
    case Phase::kResolve:
      return fail(phase_, late ? "its name was not found in time" : "its name cannot be resolved");
    case Phase::kConnect:
      return fail(phase_, late ? "it did not answer in time" : "it refuses connections");
    default:
      break;
  }
  if (late) return fail(Phase::kTls, "the TLS handshake did not end in time");
  if (code != CURLE_PEER_FAILED_VERIFICATION) return fail(Phase::kTls, "the TLS handshake failed");
  long verified = X509_V_ERR_UNSPECIFIED;
  curl_easy_getinfo(easy_.get(), CURLINFO_SSL_VERIFYRESULT, &verified);
  // OpenSSL found nothing wrong; libcurl, which checks the name itself, did.
  if (verified == X509_V_OK || verified == X509_V_ERR_UNSPECIFIED) {
    return fail(Phase::kTls, "its certificate is for another host name");
  }
  return fail(Phase::kTls, X509_verify_cert_error_string(verified));
}

}  // namespace lmbroker::http
