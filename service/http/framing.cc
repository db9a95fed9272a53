#include "service/http/framing.h"

#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "service/base/error.h"
#include "service/base/text.h"

namespace lmbroker::http {
namespace {

constexpr std::string_view kAuthorization = "Authorization: ";
constexpr std::string_view kEndOfHead = "\r\n\r\n";

// Whether a length must be said: always with a body, and without one where the method would lead a server to expect one
// (RFC 9110, section 8.6).
bool SaysLength(const CanonicalRequest& request) {
  switch (request.method()) {
    case Method::kPost:
    case Method::kPut:
    case Method::kPatch:
      return true;
    case Method::kGet:
    case Method::kDelete:
      return !request.body().empty();
  }
  return true;
}

// The head up to the line before Authorization, which comes last so that everything else is ordinary text.
std::string PublicLines(const OutgoingRequest& outgoing, const Upstream& upstream) {
  const CanonicalRequest& request = outgoing.request();
  const RequestHeaders& headers = request.headers();
  std::string lines =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}", MethodName(request.method()), request.Target(), upstream.host);
  const auto out = std::back_inserter(lines);
  if (upstream.port != 443) fmt::format_to(out, ":{}", upstream.port);
  fmt::format_to(out, "\r\nUser-Agent: lmbroker/{}\r\n", LMBROKER_VERSION);
  if (const auto version = request.api_version(); version.has_value()) {
    fmt::format_to(out, "X-Version: {}\r\n", *version);
  }
  if (SaysLength(request)) fmt::format_to(out, "Content-Length: {}\r\n", request.body().size());
  const auto add_default = [&](std::string_view name, std::string_view value) {
    if (!headers.Find(name).has_value()) fmt::format_to(out, "{}: {}\r\n", name, value);
  };
  add_default("Accept", "application/json");
  add_default("Content-Type", "application/json");
  add_default("X-Request-Id", outgoing.request_id());
  for (const NameValue& header : headers.all()) fmt::format_to(out, "{}: {}\r\n", header.name, header.value);
  return lines;
}

}  // namespace

void WipedBuffer::Append(std::string_view text) {
  std::memcpy(bytes_.get() + size_, text.data(), text.size());
  size_ += text.size();
}

absl::StatusOr<WireRequest> Frame(const OutgoingRequest& outgoing, const Upstream& upstream) {
  const std::string_view authorization = outgoing.authorization().Reveal();
  if (HasControl(authorization) || HasControl(outgoing.request_id())) {
    return Refuse(Reason::kInternal, "The broker made a request that cannot be framed; tell its operators.");
  }
  const std::string lines = PublicLines(outgoing, upstream);
  const std::string_view body = outgoing.request().body();
  const std::size_t head_size = lines.size() + kAuthorization.size() + authorization.size() + kEndOfHead.size();
  const bool together = head_size + body.size() <= kTlsRecordBytes;

  WireRequest wire{.first = WipedBuffer(together ? head_size + body.size() : head_size), .rest = {}};
  wire.first.Append(lines);
  wire.first.Append(kAuthorization);
  wire.first.Append(authorization);
  wire.first.Append(kEndOfHead);
  if (together) {
    wire.first.Append(body);
  } else {
    wire.rest = body;
  }
  return wire;
}

}  // namespace lmbroker::http
