// Puts calls through the code between a caller and the socket, as Forward does: canonical request, policy, signer,
// framing. Reads calls from standard input and writes for each what would be sent, or why not, to standard output.
//
// Everything is a string with its length in front (4 bytes, little endian). First come, once, an access id, an access
// key and a bearer token. A call is: scheme (`LMv1` or `Bearer`), time (ms since the epoch), api (`management` or
// `ingest`), method, path, version, body, the number of query pairs and those, the number of headers and those; numbers
// in decimal. An answer is `+` and the bytes for the socket, or `-` and a reason.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/base/error.h"
#include "service/base/issues.h"
#include "service/base/status_macros.h"
#include "service/http/framing.h"
#include "service/policy/engine.h"
#include "service/policy/parse.h"
#include "service/sign/signer.h"

namespace lmbroker {
namespace {

constexpr std::string_view kPolicy = R"(callers:
  - name: caller
    identities: ["dns:caller.example"]
    forward:
      - {portal: acme, credential: key, methods: [GET, POST, PUT, PATCH, DELETE], paths: ["/**"], account_writes: true}
      - {portal: acme, credential: key, methods: [GET, POST, PUT, PATCH, DELETE], paths: ["/**"], api: ingest}
)";

// Nothing at the end of the input.
std::optional<std::string> ReadText() {
  std::array<unsigned char, 4> length{};
  if (std::fread(length.data(), 1, length.size(), stdin) != length.size()) return std::nullopt;
  std::string text(length[0] | length[1] << 8 | length[2] << 16 | static_cast<std::size_t>(length[3]) << 24, '\0');
  if (std::fread(text.data(), 1, text.size(), stdin) != text.size()) std::abort();
  return text;
}

void WriteText(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  const std::array<unsigned char, 4> length = {static_cast<unsigned char>(size), static_cast<unsigned char>(size >> 8),
                                               static_cast<unsigned char>(size >> 16),
                                               static_cast<unsigned char>(size >> 24)};
  std::fwrite(length.data(), 1, length.size(), stdout);
  for (const std::string_view part : parts) {
    if (!part.empty()) std::fwrite(part.data(), 1, part.size(), stdout);
  }
}

std::vector<http::NameValue> ReadPairs() {
  std::vector<http::NameValue> pairs(std::stoul(*ReadText()));
  for (http::NameValue& pair : pairs) {
    pair.name = *ReadText();
    pair.value = *ReadText();
  }
  return pairs;
}

http::RequestParts ReadRequest() {
  http::RequestParts parts;
  parts.api = *ReadText() == "ingest" ? http::Api::kIngest : http::Api::kManagement;
  parts.method = *ReadText();
  parts.path = *ReadText();
  parts.api_version = std::stoi(*ReadText());
  parts.body = *ReadText();
  parts.query = ReadPairs();
  parts.headers = ReadPairs();
  return parts;
}

class Probe {
 public:
  Probe(sign::Key lmv1, sign::Key bearer) : lmv1_(std::move(lmv1)), bearer_(std::move(bearer)) {}

  // Answers one call.
  absl::Status Send(http::RequestParts parts, std::string_view scheme, absl::Time now) const {
    ASSIGN_OR_RETURN(http::CanonicalRequest request, http::CanonicalRequest::Make(std::move(parts), {}));
    ASSIGN_OR_RETURN(const policy::AuthorizedCall call,
                     engine_.Authorize(caller_, portal_, std::nullopt,
                                       std::make_shared<const http::CanonicalRequest>(std::move(request))));
    const http::OutgoingRequest outgoing =
        sign::Signer::Sign(call, scheme == "Bearer" ? bearer_ : lmv1_, now, "0f8fad5b-d9cb-469f-a165-70867728950e");
    ASSIGN_OR_RETURN(const http::WireRequest wire, http::Frame(outgoing, {.portal = portal_, .host = "acme.example"}));
    WriteText({"+", wire.first.view(), wire.rest});
    return absl::OkStatus();
  }

 private:
  static std::shared_ptr<const policy::Policy> ParsedPolicy() {
    Issues issues("policy.yaml");
    return policy::ParsePolicy(kPolicy, {*PortalName::FromId("acme", "portal")}, issues);
  }

  const sign::Key lmv1_;
  const sign::Key bearer_;
  const policy::Engine engine_{ParsedPolicy()};
  const PortalName portal_ = *PortalName::FromId("acme", "portal");
  const Caller caller_ = *engine_.FindCaller("caller");
};

int Run() {
  const std::string access_id = *ReadText();
  auto lmv1 = sign::ParseKey(TokenType::kLmv1, access_id, Secret(*ReadText()));
  auto bearer = sign::ParseKey(TokenType::kBearer, "", Secret(*ReadText()));
  if (!lmv1.ok() || !bearer.ok()) return EXIT_FAILURE;
  const Probe probe(*std::move(lmv1), *std::move(bearer));
  while (const auto scheme = ReadText()) {
    const absl::Time now = absl::FromUnixMillis(std::stoll(*ReadText()));
    const absl::Status sent = probe.Send(ReadRequest(), *scheme, now);
    if (!sent.ok()) WriteText({"-", ReasonName(ReasonOf(sent).value_or(Reason::kInternal))});
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace lmbroker

int main() { return lmbroker::Run(); }
