#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/statusor.h>

#include "service/base/descriptor.h"

namespace lmbroker {

// A listening TCP socket. Safe for concurrent use: several threads may Accept at a time.
class Listener {
 public:
  // `address` is HOST:PORT, with an IPv6 host in brackets; port 0 takes any free one. FAILED_PRECONDITION when the
  // address is malformed, unknown or in use. Of a name with several addresses the first is taken.
  static absl::StatusOr<Listener> Open(std::string_view address, int backlog = 16);

  // The HOST:PORT in use, the host as it was given.
  const std::string& address() const { return address_; }

  // Waits for the next connection; nothing once the listener is closed.
  std::optional<Descriptor> Accept() const;

  // Ends every Accept, and refuses connections from now on.
  void Close();

 private:
  Listener(Descriptor socket, std::string address) : socket_(std::move(socket)), address_(std::move(address)) {}

  Descriptor socket_;
  std::string address_;
};

}  // namespace lmbroker
