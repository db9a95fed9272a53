// Whatever a portal sends, each exchange ends once or is still under way, and what comes of it stays in its bounds.
// Input: a byte that says how, and what the portal sends.

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/base/clock.h"
#include "service/http/event_loop.h"
#include "service/http/http2_session.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/outgoing_request_peer.h"

namespace lmbroker::fuzz {
namespace {

using http::Exchange;
using http::OutgoingRequestPeer;

constexpr std::size_t kMostBody = 64;
constexpr std::size_t kMostSent = 2 * http::kTlsRecordBytes + 64;
// What every portal begins with: settings without a setting, and its yes to ours.
constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0", 18);

// What the first byte says.
struct Way {
  enum class Between { kNothing, kCancel, kStart, kLeave };

  explicit Way(char byte)
      : settings((byte & 1) != 0),
        piece(std::array<std::size_t, 4>{1, 7, 64, std::string_view::npos}[(byte >> 1) & 3]),
        reader_is_behind((byte & 8) != 0),
        sends_late((byte & 0x10) != 0),
        between(static_cast<Between>((byte >> 5) & 3)) {}

  bool settings;
  std::size_t piece;      // bytes at a time
  bool reader_is_behind;  // nobody takes what is streamed
  bool sends_late;        // when all has come, and not before
  Between between;        // what the broker does when half of it has come
};

class Connection final : private Exchange::Owner {
 public:
  explicit Connection(const Way& way) : way_(way) {
    Start(OutgoingRequestPeer::Get(), {.most_reply_bytes = kMostBody});
    Start(OutgoingRequestPeer::Post("{}"), {.most_reply_bytes = kMostBody});
    Start(OutgoingRequestPeer::Get(), {.streaming = true});
    // More than the portal's window takes before it says so.
    Start(OutgoingRequestPeer::Post(std::string(100'000, 'x')), {.most_reply_bytes = kMostBody});
    SendAll();
  }

  // False when it is no HTTP/2.
  bool Receive(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, way_.piece);
      bytes.remove_prefix(piece.size());
      const bool good = session_.Receive(piece);
      TakeIn();
      if (!way_.sends_late || !good) SendAll();
      if (!good) return false;
    }
    return true;
  }

  void SendAll() {
    std::string out;
    do {
      out.clear();
      session_.Send(out, begun_);
      Require(out.size() <= kMostSent, "what is sent at a time is bounded");
    } while (!out.empty());
    for (const auto& exchange : std::exchange(begun_, {})) Require(exchange != nullptr, "what begins is there");
    TakeIn();
  }

  void Act() {
    switch (way_.between) {
      case Way::Between::kNothing:
        break;
      case Way::Between::kCancel:
        for (auto& [exchange, state] : states_) {
          if (state == State::kUnderWay) session_.Cancel(exchange->stream());
          if (state == State::kUnderWay) state = State::kDropped;
        }
        break;
      case Way::Between::kStart:
        Start(OutgoingRequestPeer::Get(), {.most_reply_bytes = kMostBody});
        break;
      case Way::Between::kLeave:
        session_.Leave();
        Require(session_.room() == 0, "who leaves takes nothing more");
        break;
    }
  }

  void End() {
    std::size_t under_way = 0;
    for (const auto& [exchange, state] : states_) under_way += state == State::kUnderWay ? 1 : 0;
    Require(session_.streams() == under_way, "what has not ended is under way");
    for (const auto& exchange : session_.TakeAll()) {
      Require(std::exchange(states_.at(exchange), State::kDropped) == State::kUnderWay, "what has ended is not there");
    }
    Require(session_.streams() == 0, "and then nothing is");
  }

 private:
  enum class State { kUnderWay, kEnded, kDropped };

  void EndEarly(std::shared_ptr<Exchange>, absl::Status) override {}

  void Start(http::OutgoingRequest request, http::SendOptions options) {
    static const SystemClock clock;
    static const std::unique_ptr<http::EventLoop> loop = *http::EventLoop::Create(clock);
    auto wire = http::Frame(request, upstream_);
    const auto exchange = std::make_shared<Exchange>(
        *std::move(wire), std::move(request), std::move(options), ByteLease(), [](const http::TransferResult&) {},
        static_cast<Exchange::Owner&>(*this), *loop);
    const std::int32_t id = session_.Start(exchange);
    if (id == 0) return Require(session_.room() == 0, "who refuses takes nothing more");
    exchange->set_connection(nullptr, id);
    states_.emplace(exchange, State::kUnderWay);
  }

  void TakeIn() {
    for (const auto& exchange : session_.TakeNews()) {
      Require(exchange->streaming(), "only of what is streamed there is news");
      Require(exchange->reply().body_size() <= Exchange::kMostBuffered, "what nobody took is bounded");
      if (way_.reader_is_behind) continue;
      session_.Consume(exchange->stream(), exchange->reply().TakeBody().size());
    }
    for (const http::Connection::Outcome& outcome : session_.TakeOutcomes()) {
      State& state = states_.at(outcome.exchange);
      Require(std::exchange(state, State::kEnded) == State::kUnderWay, "an exchange ends once");
      if (!outcome.response.ok()) {
        RequireReason(outcome);
      } else {
        Require(!outcome.repeat, "what was answered is not repeated");
        RequireBounds(*outcome.response, outcome.exchange->streaming() ? Exchange::kMostBuffered : kMostBody);
      }
    }
  }

  static void RequireReason(const http::Connection::Outcome& outcome) {
    const absl::Status& why = outcome.response.status();
    const bool refused = IsRefusal(why, Reason::kPortalUnreachable);
    Require(!outcome.repeat || (refused && !outcome.exchange->reply().started()), "only what was refused is repeated");
    const Reason other = IsRefusal(why, Reason::kReplyTooLarge) ? Reason::kReplyTooLarge : Reason::kPortalError;
    RequireRefusal(why, refused ? Reason::kPortalUnreachable : other);
  }

  static void RequireBounds(const http::Response& reply, std::size_t most_body) {
    Require(reply.status >= 200 && reply.status <= 999, "a reply is final");
    Require(reply.body.size() <= most_body, "a body is bounded");
    Require(reply.headers.size() <= 100, "headers are bounded");
    for (const http::NameValue& header : reply.headers) {
      Require(!header.name.empty() && header.name.find_first_of(" \t\r\n:") == std::string::npos, "a name is a token");
      Require(header.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos, "a value is one line");
    }
  }

  const Way way_;
  const http::Upstream upstream_{
      .portal = *PortalName::FromId("acme", "portal"), .host = "acme.example", .ca_file = "", .resolve = ""};
  std::map<std::shared_ptr<Exchange>, State> states_;
  std::vector<std::shared_ptr<Exchange>> begun_;
  http::Http2Session session_{upstream_, 100};
};

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  if (input.empty()) return;
  const Way way(input.front());
  const std::string_view bytes = input.substr(1);
  Connection connection(way);
  if (way.settings && !connection.Receive(kSettings)) return Require(false, "settings are taken");
  if (connection.Receive(bytes.substr(0, bytes.size() / 2))) {
    connection.Act();
    if (connection.Receive(bytes.substr(bytes.size() / 2))) connection.SendAll();
  }
  connection.End();
}

}  // namespace lmbroker::fuzz
