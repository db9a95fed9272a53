#include "service/rpc/secret_request.h"

#include <cstdint>
#include <string>
#include <vector>

#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include "service/base/error.h"
#include "service/base/secret.h"

namespace lmbroker::rpc {

void WipeReceived(grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return;
  for (const grpc::Slice& slice : slices) {
    // Slices are shared and so constant, but who shared this one with us is done with it.
    Wipe(const_cast<std::uint8_t*>(slice.begin()), slice.size());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  }
  buffer.Clear();
}

absl::Status ParseReceived(grpc::ByteBuffer& raw, google::protobuf::MessageLite& message) {
  bool parsed = false;
  {
    grpc::ProtoBufferReader reader(&raw);
    parsed = reader.status().ok() && message.ParseFromZeroCopyStream(&reader);
  }
  WipeReceived(raw);
  if (parsed) return absl::OkStatus();
  return Refuse(Reason::kFieldInvalid, "The request is not the message that this method takes; send that.");
}

grpc::ByteBuffer ToSend(const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

}  // namespace lmbroker::rpc
