#include "tests/support/tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace lmbroker {
namespace {

void Require(bool good) {
  if (!good) std::abort();
}

SSL_CTX* MakeContext(const TestCertificate& certificate, const TlsServer::Options& options) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_cipher_list(context, "DEFAULT:@SECLEVEL=0");  // old protocol versions are only to be had so
  SSL_CTX_set_min_proto_version(context, options.lowest_version);
  SSL_CTX_set_max_proto_version(context, options.highest_version);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("test"), 4);
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> chain(
      BIO_new_mem_buf(certificate.certificate.data(), static_cast<int>(certificate.certificate.size())), BIO_free_all);
  X509* leaf = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr);
  Require(SSL_CTX_use_certificate(context, leaf) == 1);
  X509_free(leaf);
  while (X509* issuer = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    SSL_CTX_add_extra_chain_cert(context, issuer);
  }
  ERR_clear_error();
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> pem(
      BIO_new_mem_buf(certificate.key.data(), static_cast<int>(certificate.key.size())), BIO_free_all);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(pem.get(), nullptr, nullptr, nullptr);
  Require(SSL_CTX_use_PrivateKey(context, key) == 1);
  EVP_PKEY_free(key);
  return context;
}

std::size_t ContentLength(std::string_view head) {
  constexpr std::string_view kName = "\r\nContent-Length: ";
  const std::size_t at = head.find(kName);
  return at == std::string_view::npos ? 0 : std::strtoul(head.data() + at + kName.size(), nullptr, 10);
}

}  // namespace

std::string TlsServer::Session::ReadSome() {
  if (!unread_.empty()) return std::exchange(unread_, {});
  std::array<char, 16 << 10> buffer;
  const int size = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()));
  ERR_clear_error();
  return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : std::string();
}

std::string TlsServer::Session::ReadRequest() {
  std::string request;
  while (true) {
    if (const std::size_t end = request.find("\r\n\r\n"); end != std::string::npos) {
      const std::size_t size = end + 4 + ContentLength(std::string_view(request).substr(0, end));
      if (request.size() >= size) {
        unread_ = request.substr(size);
        return request.substr(0, size);
      }
    }
    const std::string more = ReadSome();
    if (more.empty()) return "";
    request += more;
  }
}

bool TlsServer::Session::Write(std::string_view bytes) {
  const bool written = SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
  ERR_clear_error();
  return written;
}

void TlsServer::Session::AwaitClose() {
  while (!ReadSome().empty()) {
  }
}

void TlsServer::Session::Reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  say_goodbye_ = false;
}

void TlsServer::Session::Drop() { say_goodbye_ = false; }

TlsServer::TlsServer(const TestCertificate& certificate, Script script, Options options)
    : script_(std::move(script)),
      protocol_(options.protocol),
      context_(MakeContext(certificate, options), SSL_CTX_free) {
  SSL_CTX_set_alpn_select_cb(context_.get(), ChooseProtocol, this);
  std::signal(SIGPIPE, SIG_IGN);
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  Require(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(listener_, 1024) == 0);
  Require(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

TlsServer::~TlsServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int socket : sockets_) shutdown(socket, SHUT_RDWR);
  }
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (std::thread& session : sessions_) session.join();
  close(listener_);
}

int TlsServer::ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                              unsigned int offered_size, void* self) {
  const std::string& wanted = static_cast<TlsServer*>(self)->protocol_;
  for (unsigned int at = 0; at < offered_size; at += offered[at] + 1U) {
    *chosen = offered + at + 1;
    *size = offered[at];
    if (std::string_view(reinterpret_cast<const char*>(*chosen), *size) == wanted) return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

void TlsServer::Accept() {
  while (true) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (stopping_ || socket < 0) {
      if (socket >= 0) close(socket);
      return;
    }
    sockets_.insert(socket);
    sessions_.emplace_back([this, socket] { Serve(socket); });
  }
}

void TlsServer::Serve(int socket) {
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), SSL_free);
  SSL_set_fd(ssl.get(), socket);
  const bool accepted = SSL_accept(ssl.get()) == 1;
  if (accepted) {
    Session session(ssl.get(), socket, accepted_++);
    script_(session);
    if (session.say_goodbye_) SSL_shutdown(ssl.get());
  } else {
    ++refused_;
  }
  ERR_clear_error();
  const std::lock_guard lock(mutex_);
  sockets_.erase(socket);
  close(socket);
  if (accepted) ++closed_;
}

std::string OkReply(std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", body.size(),
                     body);
}

bool ServeHttp2Turn(Http2Server& http2, TlsServer::Session& session, const Http2Handler& handle) {
  for (const std::int32_t id : http2.TakeEnded()) handle(http2, id);
  const std::string out = http2.Send();
  if (!out.empty() && !session.Write(out)) return false;
  if (http2.over()) return false;
  const std::string more = session.ReadSome();
  return !more.empty() && http2.Receive(more);
}

TlsServer::Script ServeHttp2(Http2Handler handle, Http2Server::Options options) {
  return [handle = std::move(handle), options](TlsServer::Session& session) {
    Http2Server http2(options);
    while (ServeHttp2Turn(http2, session, handle)) {
    }
    if (http2.over()) session.AwaitClose();  // to close first could cost the client what is still on its way to it
  };
}

TlsServer::Script AnswerAll(std::string reply) {
  return [reply = std::move(reply)](TlsServer::Session& session) {
    while (!session.ReadRequest().empty() && session.Write(reply)) {
    }
  };
}

}  // namespace lmbroker
