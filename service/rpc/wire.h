#pragma once

// gRPC over HTTP/2, as far as a server needs it (grpc/doc/PROTOCOL-HTTP2.md): lengths before messages, timeouts, and
// statuses in trailers.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <google/protobuf/message_lite.h>

#include "service/base/byte_budget.h"
#include "service/http/inflate.h"
#include "service/rpc/status.h"

namespace lmbroker::rpc {

// The value of `grpc-timeout`; nothing when it is none.
std::optional<absl::Duration> ParseTimeout(std::string_view value);

// The message with its length before it, as it is sent.
std::string Framed(const google::protobuf::MessageLite& message);

// The fields that tell a status: grpc-status, and message and details where there are any.
std::vector<std::pair<std::string, std::string>> TrailersOf(const WireStatus& status);

// How a message may be compressed.
struct MessageCoding {
  bool known = true;                   // else it is one that we cannot undo
  std::optional<http::Coding> coding;  // none: not at all
};

// By the value of `grpc-encoding`.
MessageCoding ParseMessageCoding(std::string_view value);

// Puts the messages of one call together from the pieces in which they come. What it holds of one is counted. Not
// synchronised.
class MessageReader {
 public:
  // No message may have more than `most_bytes`, compressed or not.
  MessageReader(std::size_t most_bytes, MessageCoding coding, ByteBudget& budget)
      : most_bytes_(most_bytes), coding_(coding), held_(budget) {}
  ~MessageReader() { Drop(); }
  MessageReader(const MessageReader&) = delete;
  MessageReader& operator=(const MessageReader&) = delete;

  // The next message, from what it takes of the front of `bytes`; nothing when more is needed. BODY_TOO_LARGE,
  // QUEUE_FULL when there is no room for it, FIELD_INVALID when it is not what `grpc-encoding` says; then there is no
  // next one. Whoever gets a message overwrites it in the end: it may hold a secret.
  absl::StatusOr<std::optional<std::string>> Next(std::string_view& bytes);

  // Forgets what it holds; there is no next message.
  void Drop();

  // Whether it is in the middle of a message.
  bool within() const { return !prefix_.empty(); }

 private:
  absl::StatusOr<std::optional<std::string>> Read(std::string_view& bytes);
  absl::Status Begin();
  absl::Status Take(std::string_view bytes);
  absl::StatusOr<std::string> Whole();

  const std::size_t most_bytes_;
  const MessageCoding coding_;
  ByteLease held_;
  std::string prefix_;  // the flag and the length
  std::size_t length_ = 0;
  std::string message_;
};

}  // namespace lmbroker::rpc
