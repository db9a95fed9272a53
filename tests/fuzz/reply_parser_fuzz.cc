// A reply means the same however the network cuts it, and stays in its bounds. Input: a byte that says how to cut, and
// what the portal sends.

#include <algorithm>

#include "service/http/reply_parser.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {
namespace {

constexpr std::size_t kMostBody = 64;

struct Outcome {
  absl::StatusCode code = absl::StatusCode::kOk;
  bool started = false;
  bool done = false;
  bool reusable = false;
  http::Response response;
};

// Reads the bytes in pieces of so many.
Outcome Read(std::string_view bytes, std::size_t piece) {
  http::Reply reply(kMostBody);
  http::ReplyParser parser(reply);
  absl::Status status;
  while (status.ok() && !bytes.empty()) {
    status = parser.Feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  if (status.ok()) parser.EndOfStream();
  Outcome outcome{.code = status.code(), .started = reply.started()};
  if (!status.ok()) {
    RequireRefusal(status, IsRefusal(status, Reason::kReplyTooLarge) ? Reason::kReplyTooLarge : Reason::kPortalError);
    return outcome;
  }
  outcome.done = parser.done();
  outcome.reusable = parser.reusable();
  if (outcome.done) outcome.response = reply.TakeResponse();
  return outcome;
}

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  if (input.empty()) return;
  const std::string_view bytes = input.substr(1);
  const Outcome whole = Read(bytes, bytes.size() + 1);
  Require(whole.started == !bytes.empty(), "what came is noticed");
  if (whole.done) {
    const http::Response& reply = whole.response;
    Require(reply.status >= 200 && reply.status <= 999, "a reply is final");
    Require(reply.body.size() <= kMostBody, "a body is bounded");
    Require(reply.headers.size() <= 100, "headers are bounded");
    for (const http::NameValue& header : reply.headers) {
      Require(!header.name.empty() && header.name.find_first_of(" \t\r\n:") == std::string::npos, "a name is a token");
      Require(header.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos, "a value is one line");
    }
  }

  const Outcome cut = Read(bytes, 1 + static_cast<unsigned char>(input.front()) % 16);
  // Of bytes behind a reply, one reading may see fewer: then it is done, and says that the connection is of no use.
  Require(whole.code == cut.code, "the verdict does not depend on the cuts");
  Require(whole.done == cut.done && whole.reusable == cut.reusable, "the end does not depend on the cuts");
  Require(whole.response.status == cut.response.status && whole.response.headers == cut.response.headers &&
              whole.response.body == cut.response.body,
          "the reply does not depend on the cuts");
}

}  // namespace lmbroker::fuzz
