#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

namespace lmbroker::rpc {

// The other end of a connection, as it was found to be when it was made.
struct Peer {
  std::string address;                                  // "ipv4:127.0.0.1:40000"
  absl::StatusOr<std::vector<std::string>> identities;  // that its certificate proves; none without a certificate
  std::string certificate;                              // PEM
  std::string chain;                                    // PEM of its intermediates
};

// What is known of a call before its request is read.
struct Incoming {
  std::shared_ptr<const Peer> peer;
  absl::Duration arrival;                 // on the monotonic clock
  std::optional<absl::Duration> timeout;  // that the caller gave it, from then on
};

}  // namespace lmbroker::rpc
