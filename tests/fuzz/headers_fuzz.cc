// Headers by allow-list: whatever the names and values, a request has exactly the lines that were meant, and a reply
// passes nothing that could not stand in a protobuf string. Input: names and values in turn, FF between them.

#include <algorithm>
#include <utility>

#include "service/http/framing.h"
#include "service/http/headers.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/outgoing_request_peer.h"

namespace lmbroker::fuzz {
namespace {

bool IsVisible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// Lines of the head: request line, Host, User-Agent, X-Version, Accept, Content-Type, X-Request-Id, Authorization.
constexpr std::size_t kOwnLines = 8;

void RequireFraming(std::vector<http::NameValue> accepted) {
  std::size_t lines = kOwnLines;
  for (const http::NameValue& header : accepted) {
    if (header.name == "Content-Encoding") return;  // and no body that is so encoded
    if (header.name != "Accept" && header.name != "Content-Type" && header.name != "X-Request-Id") ++lines;
  }
  const auto outgoing =
      http::OutgoingRequestPeer::Make({.method = "GET", .path = "/device/devices", .headers = std::move(accepted)});
  const auto wire = http::Frame(outgoing, {.portal = outgoing.portal(), .host = "acme.example"});
  Require(wire.ok() && wire->rest.empty(), "the request is framed");
  std::string_view head = wire->first.view();
  for (; lines > 0; --lines) {
    const std::size_t end = head.find("\r\n");
    Require(end != std::string_view::npos && end > 0 && IsVisible(head.substr(0, end)), "a line is one line");
    head.remove_prefix(end + 2);
  }
  Require(head == "\r\n", "the head ends where it should, and nothing follows");
}

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  const std::vector<http::NameValue> given = SplitPairs(input);

  const auto headers = http::RequestHeaders::Make(given);
  if (headers.ok()) {
    Require(headers->all().size() == given.size(), "each is taken once");
    for (std::size_t i = 0; i < given.size(); ++i) {
      const http::NameValue& header = headers->all()[i];
      Require(header.value == given[i].value && !header.value.empty() && IsVisible(header.value), "a value stays");
      Require(headers->Find(header.name) == header.value, "a name is there once");
    }
    const auto again = http::RequestHeaders::Make(headers->all());
    Require(again.ok() && again->all() == headers->all(), "canonical headers stay as they are");
    RequireFraming(headers->all());
  } else {
    RequireRefusal(headers.status(), IsRefusal(headers.status(), Reason::kFieldInvalid) ? Reason::kFieldInvalid
                                                                                        : Reason::kHeaderNotAllowed);
  }

  const std::vector<http::NameValue> passed = http::PassedReplyHeaders(given);
  Require(passed.size() <= given.size(), "nothing is added");
  for (const http::NameValue& header : passed) {
    Require(IsVisible(header.value), "a value that is passed on is visible ASCII");
    Require(header.name != "Set-Cookie" && header.name != "Authorization", "only what is listed passes");
  }
  Require(http::PassedReplyHeaders(passed) == passed, "what passed once passes again");
}

}  // namespace lmbroker::fuzz
