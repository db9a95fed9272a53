// Content codings: never more than allowed, exactly one whole stream, and what was compressed comes back. Input: a byte
// that chooses the coding, and the bytes.

#include <zlib.h>

#include "service/http/inflate.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {
namespace {

constexpr std::size_t kMost = 16 << 10;

std::string Compressed(std::string_view plain, bool gzip) {
  z_stream stream{};
  Require(deflateInit2(&stream, 1, Z_DEFLATED, gzip ? 31 : 15, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib works");
  std::string out(deflateBound(&stream, plain.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  Require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib compresses");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  if (input.empty()) return;
  const bool gzip = input.front() % 2 == 0;
  const http::Coding coding = *http::ParseCoding(gzip ? "GZip" : "deflate");
  const std::string_view bytes = input.substr(1);

  const auto inflated = http::Inflate(bytes, coding, kMost);
  if (inflated.ok()) {
    Require(inflated->size() <= kMost, "the limit holds");
    Require(!http::Inflate(std::string(bytes) + "x", coding, kMost).ok(), "bytes behind the stream are refused");
    Require(!http::Inflate(bytes.substr(0, bytes.size() - 1), coding, kMost).ok(), "half a stream is refused");
    if (!inflated->empty()) {
      RequireRefusal(http::Inflate(bytes, coding, inflated->size() - 1).status(), Reason::kBodyTooLarge);
    }
  } else {
    RequireRefusal(inflated.status(),
                   IsRefusal(inflated.status(), Reason::kBodyTooLarge) ? Reason::kBodyTooLarge : Reason::kFieldInvalid);
  }

  const auto again = http::Inflate(Compressed(bytes, gzip), coding, bytes.size());
  Require(again.ok() && *again == bytes, "what was compressed comes back");
}

}  // namespace lmbroker::fuzz
