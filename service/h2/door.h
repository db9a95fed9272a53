#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include <absl/functional/any_invocable.h>

#include "service/base/clock.h"
#include "service/h2/acceptor.h"
#include "service/h2/tls_socket.h"
#include "service/http/event_loop.h"

namespace lmbroker::h2 {

// Where connections make their TLS handshake, on a thread of its own: one costs a millisecond, and whoever is let in
// already does not wait for it. Who has not made it within ten seconds has no place here any more.
class Door {
 public:
  // What the next connection is made with. Safe for concurrent use.
  using Tls = std::function<TlsContext()>;
  // Takes over whom the handshake let in. On the door's thread.
  using Take = absl::AnyInvocable<void(std::unique_ptr<TlsSocket>)>;

  // `clock` must outlive the door.
  static absl::StatusOr<std::unique_ptr<Door>> Open(const Clock& clock, Tls tls, Take take);
  // Whoever is in the door is left out; `take` is not called any more when this returns.
  ~Door();
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  // From any thread.
  void Enter(Accepted accepted);

 private:
  class Guest;

  Door(const Clock& clock, Tls tls, Take take, std::unique_ptr<http::EventLoop> loop);

  const Clock& clock_;
  const Tls tls_;
  Take take_;
  std::unordered_map<const Guest*, std::unique_ptr<Guest>> guests_;  // on the loop's thread
  std::unique_ptr<http::EventLoop> loop_;                            // last: its work uses all of the above
};

}  // namespace lmbroker::h2
