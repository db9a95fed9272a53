#include "service/http/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/text.h"

namespace lmbroker::http {
namespace {

// zlib's window size for RFC 1950; 16 more asks for the gzip wrapper instead.
constexpr int kDeflateWindow = 15;
constexpr int kGzipWindow = 15 + 16;

}  // namespace

struct Inflater::State {
  z_stream stream{};
  bool good = false;
  std::array<char, std::size_t{16} << 10> piece{};
};

std::optional<Coding> ParseCoding(std::string_view name) {
  if (EqualsIgnoreCase(name, "gzip")) return Coding::kGzip;
  if (EqualsIgnoreCase(name, "deflate")) return Coding::kDeflate;
  return std::nullopt;
}

Inflater::Inflater(Coding coding) : state_(std::make_unique<State>()) {
  state_->good = inflateInit2(&state_->stream, coding == Coding::kGzip ? kGzipWindow : kDeflateWindow) == Z_OK;
}

Inflater::~Inflater() { inflateEnd(&state_->stream); }

std::optional<std::string_view> Inflater::Next(std::string_view& bytes) {
  if (!state_->good) return std::nullopt;
  if (done_) {
    if (bytes.empty()) return std::string_view();
    return std::nullopt;
  }
  z_stream& stream = state_->stream;
  auto& piece = state_->piece;
  const auto size = static_cast<uInt>(std::min<std::size_t>(bytes.size(), std::numeric_limits<uInt>::max()));
  // zlib's API lacks const; it only reads here.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = size;
  stream.next_out = reinterpret_cast<Bytef*>(piece.data());
  stream.avail_out = static_cast<uInt>(piece.size());
  const int result = inflate(&stream, Z_NO_FLUSH);
  bytes.remove_prefix(size - stream.avail_in);
  done_ = result == Z_STREAM_END;
  // Z_BUF_ERROR: there was nothing to do, which more bytes will change.
  state_->good = result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
  if (!state_->good || (done_ && !bytes.empty())) return std::nullopt;
  return std::string_view(piece.data(), piece.size() - stream.avail_out);
}

absl::StatusOr<std::string> Inflate(std::string_view body, Coding coding, std::size_t most_bytes) {
  Inflater inflater(coding);
  std::string out;
  while (true) {
    const auto piece = inflater.Next(body);
    const bool broken = !piece.has_value() || (piece->empty() && !inflater.done());
    if (broken) {
      return FieldInvalid("body", fmt::format("is not one whole {} stream, as Content-Encoding says",
                                              coding == Coding::kGzip ? "gzip" : "deflate"));
    }
    if (piece->empty()) return out;
    if (piece->size() > most_bytes - out.size()) {
      return Refuse(Reason::kBodyTooLarge,
                    fmt::format("The body inflates to more than {} bytes; send it in parts.", most_bytes),
                    {.metadata = {{"limit", fmt::format("{}", most_bytes)}}, .field = "body"});
    }
    out += *piece;
  }
}

}  // namespace lmbroker::http
