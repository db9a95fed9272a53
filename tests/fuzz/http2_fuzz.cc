// Whatever a client sends, the session tells each of its handlers what it promised, in order, and sends no more than
// the client's bytes are worth. Input: a byte that says how, and what the client sends.

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/h2/session.h"
#include "tests/fuzz/fuzz.h"

namespace lmbroker::fuzz {
namespace {

constexpr h2::Session::Limits kLimits{.streams = 4, .header_bytes = 512};
constexpr std::size_t kEnough = 1 << 10;
constexpr std::size_t kMostFrame = (16 << 10) + 9;
// An answer is some hundred bytes, and its request has a dozen at least.
constexpr std::size_t kWorth = 64;
// What every client begins with, and settings without a setting.
constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
constexpr std::array kHead = {h2::Header{":status", "200"}, h2::Header{"content-type", "application/grpc"}};
constexpr std::array kTrailers = {h2::Header{"grpc-status", "0"}};

// What the first byte says.
struct Way {
  enum class Answering { kAtOnce, kAtEnd, kEcho, kCut };
  enum class Between { kNothing, kAnnounceEnd, kEnd, kCut };

  explicit Way(char byte)
      : preface((byte & 1) != 0),
        piece(std::array<std::size_t, 4>{1, 7, 64, std::string_view::npos}[(byte >> 1) & 3]),
        answering(static_cast<Answering>((byte >> 3) & 3)),
        sends_late((byte & 0x20) != 0),
        between(static_cast<Between>((byte >> 6) & 3)) {}

  bool preface;
  std::size_t piece;  // bytes at a time
  Answering answering;
  bool sends_late;  // when all has come, and not before
  Between between;  // what the broker does when half of it has come
};

class Handler final : public h2::StreamHandler {
 public:
  Handler(h2::Stream& stream, Way::Answering answering) : stream_(stream), answering_(answering) {
    if (answering_ == Way::Answering::kAtOnce) stream_.Answer(kHead);
    if (answering_ == Way::Answering::kEcho) stream_.Begin(kHead);
  }
  bool closed() const { return closed_ == 1; }
  void CutAnyway() {
    if (!std::exchange(cut_, true)) stream_.Cut();
  }

 private:
  void OnData(std::string_view bytes) override {
    Require(closed_ == 0 && !ended_, "no data comes behind the end");
    if (answering_ == Way::Answering::kEcho) stream_.Write(std::string(bytes));
    Cut();
  }
  void OnEnd() override {
    Require(closed_ == 0 && !ended_, "a request ends once");
    ended_ = true;
    Cut();
    if (answering_ == Way::Answering::kAtEnd) {
      stream_.Begin(kHead);
      stream_.Write("an answer");
    }
    if (answering_ == Way::Answering::kAtEnd || answering_ == Way::Answering::kEcho) stream_.Finish(kTrailers);
  }
  void OnSent() override { Require(closed_ == 0, "what is closed sends nothing"); }
  void OnClosed() override { Require(++closed_ == 1, "a stream is closed once"); }

  void Cut() {
    if (answering_ == Way::Answering::kCut) CutAnyway();
  }

  h2::Stream& stream_;
  const Way::Answering answering_;
  bool ended_ = false;
  bool cut_ = false;
  int closed_ = 0;
};

class Connection final : private h2::Session::Owner {
 public:
  explicit Connection(const Way& way) : way_(way) {}
  ~Connection() {
    session_.Abandon();
    for (const auto& handler : handlers_) Require(handler->closed(), "every handler is told in the end");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // False when it is no HTTP/2.
  bool Receive(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, way_.piece);
      bytes.remove_prefix(piece.size());
      received_ += piece.size();
      const bool good = session_.Receive(piece);
      Require(session_.streams() <= kLimits.streams, "streams are bounded");
      if (!way_.sends_late || !good) SendAll();
      if (!good) return false;
    }
    return true;
  }

  void SendAll() {
    std::string out;
    do {
      out.clear();
      session_.Send(out, kEnough);
      Require(out.size() <= kEnough + kMostFrame, "what is sent at a time is bounded");
      sent_ += out.size();
      Require(sent_ <= kWorth * (received_ + 64), "what is sent is bounded by what came");
    } while (!out.empty());
  }

  void Act() {
    if (way_.between == Way::Between::kAnnounceEnd) session_.AnnounceEnd();
    if (way_.between == Way::Between::kEnd) session_.End();
    if (way_.between != Way::Between::kCut) return;
    session_.ForEach([](h2::StreamHandler& handler) { static_cast<Handler&>(handler).CutAnyway(); });
  }

  void RequireOpenHandlers() {
    std::size_t open = 0;
    session_.ForEach([&](h2::StreamHandler& handler) {
      ++open;
      Require(!static_cast<Handler&>(handler).closed(), "who is closed is not visited");
    });
    const auto alive = std::count_if(handlers_.begin(), handlers_.end(), [](const auto& h) { return !h->closed(); });
    Require(open == static_cast<std::size_t>(alive), "who is open is visited");
  }

 private:
  h2::StreamHandler& OnRequest(h2::Stream& stream, bool head_fits) override {
    Require(!head_fits || stream.head().Count(":method") == 1, "a request has a method");
    handlers_.push_back(std::make_unique<Handler>(stream, way_.answering));
    return *handlers_.back();
  }
  void OnOutput() override {}

  const Way way_;
  std::vector<std::unique_ptr<Handler>> handlers_;
  std::size_t received_ = 0;
  std::size_t sent_ = 0;
  h2::Session session_{*this, kLimits};
};

}  // namespace

LMBROKER_FUZZ_TARGET(input) {
  if (input.empty()) return;
  const Way way(input.front());
  const std::string_view bytes = input.substr(1);
  Connection connection(way);
  if (way.preface && !connection.Receive(kPreface)) return Require(false, "the preface is taken");
  if (connection.Receive(bytes.substr(0, bytes.size() / 2))) {
    connection.Act();
    if (connection.Receive(bytes.substr(bytes.size() / 2))) connection.SendAll();
  }
  connection.RequireOpenHandlers();
}

}  // namespace lmbroker::fuzz
