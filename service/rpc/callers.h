#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>

#include <absl/time/time.h>

#include "service/base/byte_budget.h"
#include "service/base/clock.h"
#include "service/base/mutex.h"
#include "service/h2/connection.h"
#include "service/h2/flusher.h"
#include "service/h2/tls_socket.h"
#include "service/http/event_loop.h"
#include "service/rpc/grpc_call.h"
#include "service/rpc/incoming.h"
#include "service/rpc/method.h"

namespace lmbroker::rpc {

// The callers' connections, from their handshake to their end, and what comes on them led to its method. On the loop's
// thread, but for what says otherwise.
class Callers {
 public:
  struct Options {
    std::size_t most_message = 0;  // bytes of one
    std::size_t most_unread = 0;   // bytes of messages that have not come whole, in all
    std::size_t most_calls = 0;    // on one connection at a time
    std::size_t most_in_all = 0;   // from their heads until their answers are read; beyond it those go on that have few
    absl::Duration connection_age;  // then a caller is asked to make a new connection
  };

  // Loop, clock and methods must outlive this, and the methods must be complete before the first connection.
  Callers(const Options& options, http::EventLoop& loop, const Clock& clock, const Methods& methods);
  // When Wait has returned, or nothing was ever taken.
  ~Callers() = default;
  Callers(const Callers&) = delete;
  Callers& operator=(const Callers&) = delete;

  // Looks after connections from now on. From any thread, once.
  void Start();
  // Takes a caller in. From any thread.
  void Take(std::unique_ptr<h2::TlsSocket> socket);
  // Asks everyone to go; after `grace` everyone is put out. From any thread.
  void End(absl::Duration grace);
  // Waits until nobody is left and no call exists, once End was called. From any other thread than the loop's.
  void Wait();

 private:
  // One connection.
  struct Caller {
    std::shared_ptr<const Peer> peer;
    std::shared_ptr<h2::Connection> connection;
    absl::Duration asked_at;  // when it is asked to go, or was
    bool asked = false;       // that new requests go elsewhere
    bool ended = false;       // no more requests are taken
    bool doomed = false;      // it asks on and on while nobody more can be answered
  };

  void Admit(std::unique_ptr<h2::TlsSocket> socket, std::shared_ptr<const Peer> peer);
  h2::StreamHandler& Route(Caller& caller, h2::Stream& stream, bool head_fits);
  bool HasItsShare(const Caller& caller) const;
  void Tend();
  void Tend(Caller& caller, absl::Duration now);
  void TendSoon();

  const Options options_;
  const Clock& clock_;
  const Methods& methods_;
  ByteBudget unread_;
  Wire wire_;
  h2::Flusher flusher_;
  std::unordered_map<const h2::Connection*, std::unique_ptr<Caller>> callers_;
  std::size_t admitted_ = 0;
  Scheduler::Timer tending_;
  bool ending_ = false;
  absl::Duration put_out_at_ = absl::InfiniteDuration();

  Mutex mutex_;
  ConditionVariable changed_;
  bool nobody_left_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace lmbroker::rpc
