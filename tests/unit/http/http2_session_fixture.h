#pragma once

// What the tests of Http2Session share.

#include <algorithm>
#include <atomic>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/http/http2_session.h"
#include "tests/support/http2_server.h"
#include "tests/support/outgoing_request_peer.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::http {

// A frame as it stands on the wire, good or not.
inline std::string RawFrame(std::uint8_t type, std::uint8_t flags, std::int32_t stream, std::string_view payload) {
  std::string frame;
  for (const int shift : {16, 8, 0}) frame += static_cast<char>(payload.size() >> shift & 0xFF);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  for (const int shift : {24, 16, 8, 0}) frame += static_cast<char>(stream >> shift & 0xFF);
  return frame.append(payload);
}

// A session and a portal that hand each other their bytes. All exchanges are for the test's own thread.
class Http2SessionTest : public testing::Test {
 protected:
  using ExchangePtr = std::shared_ptr<Exchange>;

  Http2SessionTest() { Open(); }

  // A new connection, on which the settings have been exchanged.
  void Open(const Http2Server::Options& options = {}, std::size_t most_requests = 1000) {
    session_ = std::make_unique<Http2Session>(upstream_, most_requests);
    portal_ = std::make_unique<Http2Server>(options);
    begun_.clear();
    outcomes_.clear();
    Run();
  }

  ExchangePtr Make(OutgoingRequest request = OutgoingRequestPeer::Get(), SendOptions options = {},
                   ByteLease memory = {}) {
    auto wire = Frame(request, upstream_);
    EXPECT_THAT(wire, IsOk());
    return std::make_shared<Exchange>(
        *std::move(wire), std::move(request), std::move(options), std::move(memory), [](const TransferResult&) {},
        owner_, *loop_);
  }
  // Started, and its stream.
  ExchangePtr Start(ExchangePtr exchange) {
    const std::int32_t id = session_->Start(exchange);
    EXPECT_NE(id, 0);
    exchange->set_connection(nullptr, id);
    return exchange;
  }
  ExchangePtr Start() { return Start(Make()); }

  // All that the session sends.
  std::string FromClient() {
    std::string all;
    for (std::string out; session_->Send(out, begun_), !out.empty(); out.clear()) all += out;
    return all;
  }
  // Until neither side has anything to say.
  void Run() {
    while (true) {
      const std::string up = FromClient();
      EXPECT_TRUE(portal_->Receive(up));
      const std::string down = portal_->Send();
      EXPECT_TRUE(session_->Receive(down));
      if (up.empty() && down.empty()) break;
    }
    Collect();
  }
  // Whether the connection ends by what came.
  bool EndsBy(std::string_view bytes) {
    const bool good = session_->Receive(bytes);
    FromClient();
    Collect();
    return !good || session_->over();
  }
  void Collect() {
    auto outcomes = session_->TakeOutcomes();
    std::move(outcomes.begin(), outcomes.end(), std::back_inserter(outcomes_));
  }

  // How often the exchange has ended.
  std::size_t Ended(const ExchangePtr& exchange) const {
    return static_cast<std::size_t>(std::count_if(outcomes_.begin(), outcomes_.end(),
                                                  [&](const auto& outcome) { return outcome.exchange == exchange; }));
  }
  // How it ended: once.
  Connection::Outcome& OutcomeOf(const ExchangePtr& exchange) {
    EXPECT_EQ(Ended(exchange), 1U);
    for (auto& outcome : outcomes_) {
      if (outcome.exchange == exchange) return outcome;
    }
    return outcomes_.emplace_back(
        Connection::Outcome{.exchange = exchange, .response = absl::UnknownError("it has not ended")});
  }
  absl::StatusOr<Response>& ResponseTo(const ExchangePtr& exchange) { return OutcomeOf(exchange).response; }
  const Http2Server::Request& RequestOf(const ExchangePtr& exchange) const {
    return portal_->request(exchange->stream());
  }
  void ExpectOthersGoOn() {
    const ExchangePtr other = Start();
    Run();
    portal_->Answer(other->stream(), 200, {}, "other");
    Run();
    ASSERT_THAT(ResponseTo(other), IsOk());
    EXPECT_EQ(ResponseTo(other)->body, "other");
  }

  struct FakeOwner final : Exchange::Owner {
    void EndEarly(std::shared_ptr<Exchange>, absl::Status) override { ++ended_early; }
    std::atomic<int> ended_early = 0;
  };

  const SystemClock clock_;
  FakeOwner owner_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create(clock_);
  const Upstream upstream_{.portal = *PortalName::FromId("acme", "portal"),
                           .host = "acme.example",
                           .port = 4443,
                           .ca_file = "",
                           .resolve = ""};
  std::vector<ExchangePtr> begun_;
  std::vector<Connection::Outcome> outcomes_;
  std::unique_ptr<Http2Server> portal_;
  std::unique_ptr<Http2Session> session_;
};

}  // namespace lmbroker::http
