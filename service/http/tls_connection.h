#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <curl/curl.h>
#include <openssl/ssl.h>

#include "service/http/event_loop.h"
#include "service/http/trust_store.h"
#include "service/http/unreachable.h"
#include "service/http/upstream.h"

namespace lmbroker::http {

// What a non-blocking send or receive came to.
struct IoResult {
  enum class State {
    kDone,    // `bytes` moved, at least one
    kAgain,   // the socket is not ready
    kClosed,  // the portal closed the connection in order (TLS close_notify)
    kBroken,  // the connection is dead
  };
  State state = State::kBroken;
  std::size_t bytes = 0;
};

// A TLS connection to a portal that libcurl makes and verifies (CURLOPT_CONNECT_ONLY); the bytes on it are ours. It may
// be closed and connected again, and then resumes the TLS session. The only part that knows libcurl.
//
// On the loop's thread.
class TlsConnection final : private EventLoop::Watcher {
 public:
  // OK, or PORTAL_UNREACHABLE with its phase.
  using Connected = absl::AnyInvocable<void(absl::Status)>;

  // Everything given must outlive the connection.
  static absl::StatusOr<std::unique_ptr<TlsConnection>> Create(const Upstream& upstream, const TrustStore& trust,
                                                               const Clock& clock, EventLoop& loop);
  ~TlsConnection() override;
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  // Starts connecting. `connected` is called on the loop, not from within, unless Close comes first; it may destroy
  // this object.
  void Connect(absl::Duration timeout, Connected connected);

  // Ends the connection, or the attempt.
  void Close();

  // Once connected, and not watched by this object any more.
  int socket() const { return socket_; }

  // Sends one TLS record of at most kTlsRecordBytes. As long as no call was kDone, the portal cannot have decrypted a
  // byte. After kAgain the next call must bring the same bytes at the same place (OpenSSL keeps the record).
  IoResult Send(std::string_view bytes);
  IoResult Receive(std::span<char> buffer);
  // Once connected: whether there may be more to receive of which the socket does not tell.
  bool HasPending() const { return SSL_has_pending(tls_) == 1; }
  // Once connected: whether both sides chose HTTP/2 (ALPN, RFC 7301).
  bool multiplexes() const;

 private:
  struct CleanUpEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct CleanUpMulti {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };
  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  TlsConnection(const Upstream& upstream, const TrustStore& trust, const Clock& clock, EventLoop& loop);
  bool SetOptions();
  bool PortalSaidGoodBye() const;

  // libcurl's callbacks, on the loop's thread.
  static int OnSocketWanted(CURL* easy, curl_socket_t socket, int what, void* self, void* unused);
  static int OnTimerWanted(CURLM* multi, long milliseconds, void* self);
  static curl_socket_t OnOpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static CURLcode OnTlsContext(CURL* easy, void* context, void* self);
  static void OnTlsProgress(const SSL* tls, int where, int unused);

  void OnEvents(int socket, std::uint32_t events) override;
  // Lets libcurl act on `socket` or the time. May destroy this object.
  void Drive(curl_socket_t socket, int what);
  absl::Status Outcome(CURLcode code);
  absl::Status Failure(CURLcode code) const;

  const Upstream& upstream_;
  const TrustStore& trust_;
  const Clock& clock_;
  EventLoop& loop_;
  // A multi handle of its own: libcurl keeps state there that the connections of one would share.
  std::unique_ptr<CURLM, CleanUpMulti> multi_;
  std::unique_ptr<CURL, CleanUpEasy> easy_;  // destroyed before multi_
  std::unique_ptr<curl_slist, FreeList> resolve_;
  EventLoop::Timer timer_;
  Connected connected_;
  Phase phase_ = Phase::kResolve;  // of the attempt
  bool attached_ = false;          // easy_ is in multi_
  bool address_refused_ = false;   // by the guard, in this attempt
  curl_socket_t socket_ = CURL_SOCKET_BAD;
  const SSL* tls_ = nullptr;  // libcurl's, once the handshake is done
};

}  // namespace lmbroker::http
