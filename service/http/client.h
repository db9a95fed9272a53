#pragma once

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "service/base/byte_budget.h"
#include "service/http/headers.h"
#include "service/http/outgoing_request.h"

namespace lmbroker::http {

// The rest of a reply that was handed over at its head. Used on the client's own thread. It may be let go of on any
// thread while the client lives; before the body's end that ends the transfer.
class BodyReader {
 public:
  // A piece, never empty; an empty one is the end of the body; or why the reply is cut: PORTAL_UNREACHABLE,
  // PORTAL_ERROR (not HTTP), DEADLINE, DRAINING, or CANCELLED.
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;
  virtual ~BodyReader() = default;

  // Asks for the next piece, when the one before has come. Calls `done` once, from within or later. As long as nobody
  // asks, no more than 256 KiB are taken from the portal's socket.
  virtual void Next(Done done) = 0;
};

// A portal's answer, whatever its status code: an HTTP error is data here (style: an upstream error is a value).
struct Response {
  int status = 0;
  std::vector<NameValue> headers;           // as received, every one
  std::string body;                         // decoded from its transfer coding (not from its content coding)
  std::shared_ptr<BodyReader> rest;         // with SendOptions::streaming: what follows; null when `body` is the whole
  std::shared_ptr<const ByteLease> memory;  // counts `body` where replies are counted, for as long as it is there
};

// Whether LM can have seen the request. The rules for repeats rest on it (law 6).
enum class Delivery {
  kNotSent,  // not one byte of it left, the connection never came up, or by HTTP/2 the portal says that it did not act
  kMaybeSent,  // some of it left; LM may have acted
};

struct TransferResult {
  // Refusals: PORTAL_UNREACHABLE, REPLY_TOO_LARGE, DEADLINE, QUEUE_FULL (no connection, or no memory for the reply),
  // PORTAL_ERROR (not HTTP); or CANCELLED.
  absl::StatusOr<Response> response;
  Delivery delivery = Delivery::kNotSent;
};

struct SendOptions {
  absl::Duration deadline;  // on Clock::Monotonic
  std::size_t most_reply_bytes = 32 << 20;
  bool streaming = false;     // hands the reply over as soon as its head is there; its length has no limit
  std::stop_token cancelled;  // a stop request ends the transfer, and the portal is told
};

// Sends requests to portals over TLS. Safe for concurrent use.
class Client {
 public:
  using Done = absl::AnyInvocable<void(TransferResult)>;
  virtual ~Client() = default;

  // Starts the transfer without waiting. Calls `done` exactly once, no later than the deadline (plus scheduling), on
  // the client's own thread or on this one. Follows no redirect; repeats nothing but what is
  // kNotSent: on a kept connection that the portal closed, or sent away by HTTP/2.
  virtual void Send(OutgoingRequest request, SendOptions options, Done done) = 0;
};

}  // namespace lmbroker::http
