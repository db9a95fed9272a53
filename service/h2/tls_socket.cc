#include "service/h2/tls_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace lmbroker::h2 {
namespace {

using Bio = crypto::OpensslPtr<BIO, BIO_free>;

int SizeFor(std::size_t bytes) {
  return static_cast<int>(std::min<std::size_t>(bytes, std::numeric_limits<int>::max()));
}

Bio NewText() {
  Bio text(BIO_new(BIO_s_mem()));
  crypto::CheckOpenssl(text != nullptr, "BIO_new");
  return text;
}

void Append(const X509* certificate, BIO* text) {
  crypto::CheckOpenssl(PEM_write_bio_X509(text, certificate) == 1, "PEM_write_bio_X509");
}

// OpenSSL does not ask us about a client that offers no protocol at all.
bool SpeaksHttp2(const SSL* tls) {
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(tls, &protocol, &size);
  return size > 0;
}

std::string Take(BIO* text) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(text, &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

TlsSocket::TlsSocket(Accepted accepted, TlsContext context)
    : context_(std::move(context)), accepted_(std::move(accepted)), tls_(SSL_new(context_.get())) {
  crypto::CheckOpenssl(tls_ != nullptr && SSL_set_fd(tls_.get(), descriptor()) == 1, "SSL_new");
  SSL_set_accept_state(tls_.get());
}

TlsSocket::~TlsSocket() {
  if (sound_) SSL_shutdown(tls_.get());
  ERR_clear_error();
}

TlsSocket::Progress TlsSocket::Shake() {
  ERR_clear_error();
  const int done = SSL_do_handshake(tls_.get());
  if (done == 1) {
    sound_ = true;
    return SpeaksHttp2(tls_.get()) ? Progress::kDone : Progress::kFailed;
  }
  const int error = SSL_get_error(tls_.get(), done);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ) return Progress::kWantsToRead;
  return error == SSL_ERROR_WANT_WRITE ? Progress::kWantsToWrite : Progress::kFailed;
}

ssize_t TlsSocket::Read(std::span<char> into) {
  ERR_clear_error();
  return Result(SSL_read(tls_.get(), into.data(), SizeFor(into.size())));
}

ssize_t TlsSocket::Write(std::string_view bytes) {
  ERR_clear_error();
  return Result(SSL_write(tls_.get(), bytes.data(), SizeFor(bytes.size())));
}

ssize_t TlsSocket::Result(int count) {
  if (count > 0) return count;
  const int error = SSL_get_error(tls_.get(), count);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return kNotNow;
  sound_ = error == SSL_ERROR_ZERO_RETURN;
  return kOver;
}

std::string TlsSocket::PeerCertificate() const {
  const X509* const certificate = SSL_get0_peer_certificate(tls_.get());
  if (certificate == nullptr) return {};
  const Bio text = NewText();
  Append(certificate, text.get());
  return Take(text.get());
}

std::string TlsSocket::PeerChain() const {
  const STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(tls_.get());  // on a server without the leaf
  const Bio text = NewText();
  for (int i = 0; i < sk_X509_num(chain); ++i) Append(sk_X509_value(chain, i), text.get());
  return Take(text.get());
}

std::string PeerAddress(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, INET6_ADDRSTRLEN> host{};
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &in.sin_addr, host.data(), host.size());
    return fmt::format("ipv4:{}:{}", host.data(), ntohs(in.sin_port));
  }
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
    inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], host.data(), host.size());
    return fmt::format("ipv4:{}:{}", host.data(), ntohs(in6.sin6_port));
  }
  inet_ntop(AF_INET6, &in6.sin6_addr, host.data(), host.size());
  return fmt::format("ipv6:[{}]:{}", host.data(), ntohs(in6.sin6_port));
}

}  // namespace lmbroker::h2
