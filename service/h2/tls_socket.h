#pragma once

#include <sys/types.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

#include "service/crypto/openssl_ptr.h"
#include "service/h2/acceptor.h"
#include "service/h2/server_tls.h"

namespace lmbroker::h2 {

// The server's end of one TLS connection; nothing of it waits. For one thread at a time.
class TlsSocket {
 public:
  enum class Progress { kDone, kWantsToRead, kWantsToWrite, kFailed };
  // What Read and Write give when nothing can be done now, and when the connection is over.
  static constexpr ssize_t kNotNow = 0;
  static constexpr ssize_t kOver = -1;

  TlsSocket(Accepted accepted, TlsContext context);
  // Says good-bye if it can, so that the other side knows that nothing was cut off.
  ~TlsSocket();
  TlsSocket(const TlsSocket&) = delete;
  TlsSocket& operator=(const TlsSocket&) = delete;

  int descriptor() const { return accepted_.socket.get(); }

  // The next step of the handshake. Nothing else before it is done.
  Progress Shake();

  // How many bytes came into `into`.
  ssize_t Read(std::span<char> into);
  // Whether there is more to read that the socket does not tell of.
  bool HasPending() const { return SSL_has_pending(tls_.get()) == 1; }
  // How many of `bytes` went out; of those that did not, the next call must begin with the same.
  ssize_t Write(std::string_view bytes);

  // For one that is idle: its buffers are wiped and freed, until it is not.
  void Rest() { SSL_free_buffers(tls_.get()); }

  // The verified certificate of the other side, as PEM; empty when it has none.
  std::string PeerCertificate() const;
  // The intermediates that came with it.
  std::string PeerChain() const;

 private:
  ssize_t Result(int count);

  const TlsContext context_;
  const Accepted accepted_;
  crypto::OpensslPtr<SSL, SSL_free> tls_;
  bool sound_ = false;  // the handshake is done, and nothing has failed
};

// "ipv4:127.0.0.1:40000" or "ipv6:[::1]:40000": the other end of a connected socket, in gRPC's form (naming.md); empty
// when it has none any more.
std::string PeerAddress(int socket);

}  // namespace lmbroker::h2
