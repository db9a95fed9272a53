#include "service/http/inflate.h"

#include <zlib.h>

#include <array>
#include <memory>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/text.h"

namespace lmbroker::http {
namespace {

// zlib's window size for RFC 1950; 16 more asks for the gzip wrapper instead.
constexpr int kDeflateWindow = 15;
constexpr int kGzipWindow = 15 + 16;

struct EndInflate {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

}  // namespace

absl::StatusOr<std::string> Inflate(std::string_view body, std::string_view encoding, std::size_t most_bytes) {
  z_stream stream{};
  // zlib's API lacks const; it only reads here. A request body is far below the 4 GiB that avail_in can say.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  if (inflateInit2(&stream, EqualsIgnoreCase(encoding, "gzip") ? kGzipWindow : kDeflateWindow) != Z_OK) {
    return Refuse(Reason::kInternal, "The broker cannot inflate the body; try again.");
  }
  const std::unique_ptr<z_stream, EndInflate> end(&stream);

  std::string out;
  std::array<char, 16 << 10> chunk{};
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(chunk.data(), chunk.size() - stream.avail_out);
    if (out.size() > most_bytes) {
      return Refuse(Reason::kBodyTooLarge,
                    fmt::format("The body inflates to more than {} bytes; send it in parts.", most_bytes),
                    {.metadata = {{"limit", fmt::format("{}", most_bytes)}}, .field = "body"});
    }
  }
  if (result != Z_STREAM_END || stream.avail_in > 0) {
    return FieldInvalid("body",
                        fmt::format("is not one whole {} stream, as Content-Encoding says", AsciiLower(encoding)));
  }
  return out;
}

}  // namespace lmbroker::http
