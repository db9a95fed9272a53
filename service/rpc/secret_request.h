#pragma once

// Requests that hold a secret. gRPC would parse them by itself and leave what it received in freed memory; so their
// methods are served raw: we parse, and overwrite gRPC's buffers before it has them back.

#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include "service/base/status_macros.h"

namespace lmbroker::rpc {

// Overwrites the bytes of a message that was received. Nobody else reads them: what came before and behind it on the
// connection lies beside it.
void WipeReceived(grpc::ByteBuffer& buffer);

// The message in `raw`, which is wiped and empty afterwards. FIELD_INVALID when it is none.
absl::Status ParseReceived(grpc::ByteBuffer& raw, google::protobuf::MessageLite& message);

// For a raw method of which `from_message(Message&)` says the form.
template <class Message, class FromMessage>
auto ParsingRaw(FromMessage from_message) {
  return [from_message](grpc::ByteBuffer& raw) -> decltype(from_message(std::declval<Message&>())) {
    Message message;
    RETURN_IF_ERROR(ParseReceived(raw, message));
    return from_message(message);
  };
}

// The answer of a raw method.
grpc::ByteBuffer ToSend(const google::protobuf::MessageLite& message);

}  // namespace lmbroker::rpc
