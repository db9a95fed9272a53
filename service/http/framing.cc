#include "service/http/framing.h"

#include <cstring>
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

void AddLine(std::string& lines, std::string_view name, std::string_view value) {
  lines += name;
  lines += ": ";
  lines += value;
  lines += "\r\n";
}

void AddLine(std::string& lines, std::string_view name, std::uint64_t value) {
  const fmt::format_int digits(value);
  AddLine(lines, name, std::string_view(digits.data(), digits.size()));
}

// The head up to the line before Authorization, which comes last so that everything else is ordinary text.
std::string PublicLines(const OutgoingRequest& outgoing, const Upstream& upstream) {
  const CanonicalRequest& request = outgoing.request();
  const RequestHeaders& headers = request.headers();
  std::string lines;
  lines.reserve(512);  // of most
  lines += MethodName(request.method());
  lines += ' ';
  lines += request.Target();
  lines += " HTTP/1.1\r\n";
  AddLine(lines, "Host", upstream.port == 443 ? upstream.host : fmt::format("{}:{}", upstream.host, upstream.port));
  AddLine(lines, "User-Agent", "lmbroker/" LMBROKER_VERSION);
  if (const auto version = request.api_version(); version.has_value()) {
    AddLine(lines, "X-Version", static_cast<std::uint64_t>(*version));
  }
  if (SaysLength(request)) AddLine(lines, "Content-Length", request.body().size());
  const auto add_default = [&](std::string_view name, std::string_view value) {
    if (!headers.Find(name).has_value()) AddLine(lines, name, value);
  };
  add_default("Accept", "application/json");
  add_default("Content-Type", "application/json");
  add_default("X-Request-Id", outgoing.request_id());
  for (const NameValue& header : headers.all()) AddLine(lines, header.name, header.value);
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

  WireRequest wire{
      .first = WipedBuffer(together ? head_size + body.size() : head_size), .rest = {}, .head_size = head_size};
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
