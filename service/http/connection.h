#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "service/base/mutex.h"
#include "service/http/event_loop.h"
#include "service/http/exchange.h"
#include "service/http/tls_connection.h"

namespace lmbroker::http {

// An open connection to a portal and the exchange on it, one at a time. The sender's thread writes the request without
// a hand-over to the loop; the loop's thread reads the reply, and alone decides how an exchange and a connection end.
class Connection final : public EventLoop::Watcher, public std::enable_shared_from_this<Connection> {
 public:
  // How the connection stands after it was ready for something.
  struct Outcome {
    std::shared_ptr<Exchange> exchange;  // the one that ended; null when the connection was lost while it had none
    absl::StatusOr<Response> response = absl::UnknownError("none");
    bool kept = false;    // the connection can carry another exchange
    bool repeat = false;  // not a byte left before a connection from earlier proved dead: use another one
  };

  class Owner {
   public:
    virtual ~Owner() = default;
    // On the loop's thread, without a lock.
    virtual void OnOutcome(std::shared_ptr<Connection> connection, Outcome outcome) = 0;
  };

  // `tls` is connected. `owner`, `upstream` and `loop` outlive this.
  Connection(std::unique_ptr<TlsConnection> tls, std::size_t most_exchanges, const Upstream& upstream, Owner& owner,
             EventLoop& loop);

  // On the loop's thread, once.
  void StartWatching();

  // Places the exchange here and writes what the socket takes of it. From any thread, when the connection is free.
  // `kept`: the connection was idle or carried another exchange before. False when it is closed already.
  bool Start(const std::shared_ptr<Exchange>& exchange, bool kept);

  // Closes the connection, on the loop's thread, and hands back what it held.
  struct Remains {
    std::unique_ptr<TlsConnection> tls;
    std::shared_ptr<Exchange> exchange;
  };
  Remains Close();

  // Reads on, soon, after the reader of a streaming reply was behind.
  void Resume() { PostAnotherTurn(); }

  void OnEvents(int socket, std::uint32_t events) override;

 private:
  // Whether nothing came that nobody asked for, such as the end of the connection.
  bool IsQuiet() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<Outcome> Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Reads until nothing is left (kAgain), it was enough for one turn (kDone), or nothing more can come.
  absl::StatusOr<IoResult::State> ReadReply() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Outcome End(absl::StatusOr<Response> response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PostAnotherTurn();

  const std::size_t most_exchanges_;
  const Upstream& upstream_;
  Owner& owner_;
  EventLoop& loop_;

  Mutex mutex_;
  std::unique_ptr<TlsConnection> tls_ ABSL_GUARDED_BY(mutex_);  // null: closed
  std::shared_ptr<Exchange> exchange_ ABSL_GUARDED_BY(mutex_);
  std::size_t exchanges_ ABSL_GUARDED_BY(mutex_) = 0;
  bool kept_ ABSL_GUARDED_BY(mutex_) = false;
  bool send_broken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace lmbroker::http
