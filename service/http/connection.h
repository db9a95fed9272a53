#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include <absl/status/statusor.h>

#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/tls_connection.h"

namespace lmbroker::http {

// One TLS record at a time; up to 1 MiB before other connections get their turn.
inline constexpr int kReadsPerTurn = 64;
using ReadBuffer = std::array<char, kTlsRecordBytes>;

// An open connection to a portal and the exchanges on it. On the loop's thread.
class Connection {
 public:
  // How an exchange ended.
  struct Outcome {
    std::shared_ptr<Exchange> exchange;
    absl::StatusOr<Response> response;
    bool repeat = false;  // the portal has certainly not acted on it, and it was the connection's end: use another one
  };

  class Owner {
   public:
    virtual ~Owner() = default;
    // Exchanges ended, or the connection is over, or there is room again. Not called from within what is called here.
    virtual void OnOutcomes(const std::shared_ptr<Connection>& connection, std::span<Outcome> outcomes) = 0;
  };

  // What a connection held when it was closed.
  struct Remains {
    std::unique_ptr<TlsConnection> tls;
    std::vector<std::shared_ptr<Exchange>> exchanges;
  };

  virtual ~Connection() = default;

  // Starts to watch the socket, once.
  virtual void Open() = 0;
  // Places the exchange here, when there is room. False when the connection turns out to be of no use.
  virtual bool Start(const std::shared_ptr<Exchange>& exchange) = 0;
  // How many more exchanges may start now.
  virtual std::size_t room() const = 0;
  // Whether it will say soon how much room there is.
  virtual bool starting() const { return false; }
  // How many are under way.
  virtual std::size_t exchanges() const = 0;
  // Whether it carries nothing and will carry nothing.
  virtual bool over() const = 0;
  // Ends an exchange that is under way, without an outcome.
  virtual void Drop(Exchange& exchange) = 0;
  // The reader of a streaming reply took so many bytes of it.
  virtual void OnTaken(const Exchange& exchange, std::size_t size) = 0;
  virtual Remains Close() = 0;

  // Whether it was idle, or carried another exchange, before the next one: then its end says nothing about that.
  bool kept() const { return kept_; }
  void set_kept() { kept_ = true; }

 private:
  bool kept_ = false;
};

}  // namespace lmbroker::http
