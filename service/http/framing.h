#pragma once

// HTTP/1.1 requests on the wire (RFC 9112). We frame them ourselves, from the canonical request, so that what is signed
// is what is sent, and so that we know exactly how much of it left.

#include <cstddef>
#include <memory>
#include <string_view>

#include <absl/status/statusor.h>

#include "service/base/secret.h"
#include "service/http/outgoing_request.h"
#include "service/http/upstream.h"

namespace lmbroker::http {

// The most plain bytes that one TLS record carries. What fits is sent with one call and one record.
inline constexpr std::size_t kTlsRecordBytes = 16 << 10;

struct WipeAndFree {
  std::size_t size = 0;
  void operator()(char* bytes) const {
    Wipe(bytes, size);
    delete[] bytes;
  }
};

// Text of a size known beforehand, wiped when it dies. For the send buffer, which holds a usable signature: unlike
// Secret it is not in the secure heap, which is too small for every request in flight.
class WipedBuffer {
 public:
  WipedBuffer() = default;
  explicit WipedBuffer(std::size_t capacity) : bytes_(new char[capacity], {.size = capacity}) {}

  // Never beyond the capacity.
  void Append(std::string_view text);
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[], WipeAndFree> bytes_;
  std::size_t size_ = 0;
};

// A framed request: `first`, then `rest`.
struct WireRequest {
  WipedBuffer first;          // the head, and the body too when both fit into one TLS record
  std::string_view rest;      // the body otherwise; lives as long as the request
  std::size_t head_size = 0;  // of `first`

  // "METHOD TARGET HTTP/1.1", then a line for each header, Host before all others; then an empty line.
  std::string_view head() const { return first.view().substr(0, head_size); }
  std::string_view body() const { return rest.empty() ? first.view().substr(head_size) : rest; }
};

// INTERNAL when the Authorization value or the request id cannot stand in a header.
absl::StatusOr<WireRequest> Frame(const OutgoingRequest& outgoing, const Upstream& upstream);

}  // namespace lmbroker::http
