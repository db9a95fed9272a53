#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <openssl/ssl.h>

#include "tests/support/http2_server.h"
#include "tests/support/test_pki.h"

namespace lmbroker {

// A TLS server on 127.0.0.1 that does to each connection what a script says: the portal that misbehaves as told.
class TlsServer {
 public:
  // One accepted connection, blocking. It is closed in order when the script returns.
  class Session {
   public:
    // The next whole request: head, and as much body as its Content-Length says. Empty when the client closed.
    std::string ReadRequest();
    // Any next bytes; empty when the client closed.
    std::string ReadSome();
    // False when the client is gone.
    bool Write(std::string_view bytes);
    // Returns when the client closes.
    void AwaitClose();
    // Ends the TCP connection with a reset.
    void Reset();
    // Ends the TCP connection without TLS's good-bye.
    void Drop();
    // Counts the server's connections from 0.
    int number() const { return number_; }
    bool resumed() const { return SSL_session_reused(ssl_) == 1; }

   private:
    friend class TlsServer;
    Session(SSL* ssl, int socket, int number) : ssl_(ssl), socket_(socket), number_(number) {}
    SSL* ssl_;
    int socket_;
    int number_;
    bool say_goodbye_ = true;
    std::string unread_;
  };
  // Runs on a thread of the connection.
  using Script = std::function<void(Session&)>;

  struct Options {
    int lowest_version = TLS1_2_VERSION;
    int highest_version = TLS1_3_VERSION;
    std::string protocol;  // chosen when the client offers it (ALPN); empty: none is
  };

  TlsServer(const TestCertificate& certificate, Script script, Options options);
  TlsServer(const TestCertificate& certificate, Script script) : TlsServer(certificate, std::move(script), Options()) {}
  // Ends every connection, then joins.
  ~TlsServer();

  std::uint16_t port() const { return port_; }
  // Connections on which the TLS handshake succeeded, and those on which it failed.
  int accepted() const { return accepted_; }
  int refused() const { return refused_; }
  // Those of the former that have been closed again.
  int closed() const { return closed_; }

 private:
  static int ChooseProtocol(SSL* ssl, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                            unsigned int offered_size, void* self);
  void Accept();
  void Serve(int socket);

  const Script script_;
  const std::string protocol_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> accepted_ = 0;
  std::atomic<int> refused_ = 0;
  std::atomic<int> closed_ = 0;
  std::mutex mutex_;
  std::set<int> sockets_;
  std::vector<std::thread> sessions_;
  bool stopping_ = false;
  std::thread acceptor_;
};

// "HTTP/1.1 200 OK" with a Content-Length, JSON.
std::string OkReply(std::string_view body);

// A script that answers every request with the same reply until the client closes.
TlsServer::Script AnswerAll(std::string reply);

// A script that speaks HTTP/2 until the client closes. `handle` is called with each request that has ended, in their
// order, and may answer this one and others.
using Http2Handler = std::function<void(Http2Server&, std::int32_t)>;
TlsServer::Script ServeHttp2(Http2Handler handle, Http2Server::Options options = {});
// Its one turn: has the requests handled that have ended, writes what there is to send, and takes in what comes next.
// False when the client closed, or when all is over but the closing.
bool ServeHttp2Turn(Http2Server& http2, TlsServer::Session& session, const Http2Handler& handle);

}  // namespace lmbroker
