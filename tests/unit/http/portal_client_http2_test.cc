// Calls by HTTP/2. What portals do wrong, and their leaving: portal_client_http2_faults_test.cc.

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/http/portal_client.h"
#include "tests/unit/http/portal_client_http2_fixture.h"

namespace lmbroker::http {
namespace {

class PortalClientHttp2Test : public PortalClientHttp2Fixture {};

TEST_F(PortalClientHttp2Test, ReplyIsHandedOver) {
  const auto server = ServeH2([](Http2Server& http2, std::int32_t id) {
    EXPECT_EQ(http2.request(id).Field(":path"), "/santaba/rest/device/devices");
    EXPECT_EQ(http2.request(id).Field("authorization"), "Bearer not-a-real-key");
    http2.Answer(id, 404, {{"x-rate-limit-limit", "500"}}, "{}");
  });
  const auto client = Connect(At(server->port()));
  const TransferResult result = Exchange(*client);
  ASSERT_THAT(result.response, IsOk());
  EXPECT_EQ(result.response->status, 404);
  EXPECT_EQ(result.response->body, "{}");
  EXPECT_EQ(result.response->headers.front(), (NameValue{"x-rate-limit-limit", "500"}));
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
}

TEST_F(PortalClientHttp2Test, CallsShareOneConnection) {
  constexpr std::size_t kCalls = 64;
  std::vector<std::int32_t> here;
  const auto server = ServeH2([&](Http2Server& http2, std::int32_t id) {
    if (id == 1) return http2.Answer(id, 200);
    here.push_back(id);
    if (here.size() < kCalls) return;  // answers come when all of them are here
    for (const std::int32_t each : here) http2.Answer(each, 200, {}, http2.request(each).Field("x-request-id"));
  });
  const auto client = Connect(At(server->port()));
  ASSERT_THAT(Exchange(*client).response, IsOk());  // which says that one connection is enough
  const int connections = server->accepted();
  std::vector<std::future<TransferResult>> calls;
  for (std::size_t i = 0; i < kCalls; ++i) {
    calls.push_back(Start(*client, Numbered(static_cast<int>(i)), Within(absl::Seconds(20))));
  }
  for (std::size_t i = 0; i < kCalls; ++i) {
    const TransferResult result = calls[i].get();
    ASSERT_THAT(result.response, IsOk());
    EXPECT_EQ(result.response->body, "call-" + std::to_string(i));
  }
  EXPECT_EQ(server->accepted(), connections);
  EXPECT_EQ(StatsOf(*client).open, 1U);
  EXPECT_EQ(StatsOf(*client).idle, 1U);
}

TEST_F(PortalClientHttp2Test, FirstCallsShareOneConnectionToo) {
  const auto server = ServeH2([](Http2Server& http2, std::int32_t id) { http2.Answer(id, 200); });
  const auto client = Connect(At(server->port()));
  std::vector<std::future<TransferResult>> calls;
  for (int i = 0; i < 64; ++i) calls.push_back(Start(*client, Numbered(i), Within(absl::Seconds(20))));
  for (auto& call : calls) ASSERT_THAT(call.get().response, IsOk());
  EXPECT_EQ(StatsOf(*client).open, 1U);
}

TEST_F(PortalClientHttp2Test, BodiesOfAllSizesArriveToTheByte) {
  const auto server =
      ServeH2([](Http2Server& http2, std::int32_t id) { http2.Answer(id, 200, {}, http2.request(id).body); });
  const auto client = Connect(At(server->port()));
  for (const std::size_t size : {0UL, 1UL, 15'000UL, 16'000UL, 16'384UL, 16'385UL, 100'000UL, 8UL << 20}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 31 + i / 251);
    const TransferResult result = Exchange(*client, OutgoingRequestPeer::Post(body));
    ASSERT_THAT(result.response, IsOk());
    EXPECT_TRUE(result.response->body == body) << size;
  }
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientHttp2Test, PortalWithoutHttp2IsSpokenToByHttp11) {
  for (const char* const protocol : {"", "http/1.1"}) {
    const TlsServer server(ca_.IssueServer(std::string(kHost)), AnswerAll(OkReply("old")),
                           TlsServer::Options{.protocol = protocol});
    const auto client = Connect(At(server.port()));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(Exchange(*client).response->body, "old");
    EXPECT_EQ(server.accepted(), 1);
  }
}

TEST_F(PortalClientHttp2Test, Http2IsNotOfferedWhereItIsNotWanted) {
  const auto server = ServeH2Script(AnswerAll(OkReply("old")));  // chooses HTTP/2 from what offers it
  Upstream upstream = At(server->port());
  upstream.http2 = false;
  const auto client = Connect(std::move(upstream));
  EXPECT_EQ(Exchange(*client).response->body, "old");
}

TEST_F(PortalClientHttp2Test, CancelledCallLeavesTheConnection) {
  std::latch asked(1);
  std::atomic<bool> told = false;
  const auto server = ServeH2([&](Http2Server& http2, std::int32_t id) {
    if (AsksFor(http2, id, "/never")) return asked.count_down();
    for (const auto& [each, request] : http2.requests()) told = told || request.reset == NGHTTP2_CANCEL;
    http2.Answer(id, 200, {}, "next");
  });
  const auto client = Connect(At(server->port()));
  std::stop_source stop;
  auto never = Start(*client, OutgoingRequestPeer::Get("/never"), Within(absl::Seconds(20), stop.get_token()));
  asked.wait();
  stop.request_stop();
  const TransferResult result = never.get();
  EXPECT_THAT(result.response, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
  EXPECT_EQ(Exchange(*client).response->body, "next");
  EXPECT_TRUE(told);
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientHttp2Test, DeadlineLeavesTheConnection) {
  const auto server = ServeH2([](Http2Server& http2, std::int32_t id) {
    if (!AsksFor(http2, id, "/never")) http2.Answer(id, 200);
  });
  const auto client = Connect(At(server->port()));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  const TransferResult result =
      Start(*client, OutgoingRequestPeer::Get("/never"), Within(absl::Milliseconds(300))).get();
  EXPECT_THAT(result.response, RefusedWith(Reason::kDeadline));
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
  ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientHttp2Test, CancellationRacingWithTheReplyEndsOnce) {
  const auto server = ServeH2([](Http2Server& http2, std::int32_t id) { http2.Answer(id, 200, {}, "{}"); });
  const auto client = Connect(At(server->port()));
  for (int i = 0; i < 300; ++i) {
    std::stop_source stop;
    std::atomic<int> ended = 0;
    std::promise<void> done;
    client->Send(OutgoingRequestPeer::Get(), Within(absl::Seconds(20), stop.get_token()), [&](TransferResult) {
      if (++ended == 1) done.set_value();
    });
    std::jthread canceller([&] { stop.request_stop(); });
    done.get_future().wait();
    canceller.join();
    EXPECT_EQ(ended, 1);
  }
  ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientHttp2Test, ConcurrencyNeverExceedsConnections) {
  std::atomic<std::size_t> most = 0;
  const auto server = ServeH2([&](Http2Server& http2, std::int32_t id) {
    most = std::max(most.load(), http2.open());
    http2.Answer(id, 200);
  });
  Upstream upstream = At(server->port());
  upstream.most_connections = 4;
  const auto client = Connect(std::move(upstream));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  std::vector<std::future<TransferResult>> calls;
  for (int i = 0; i < 40; ++i) calls.push_back(Start(*client, Numbered(i), Within(absl::Seconds(20))));
  for (auto& call : calls) ASSERT_THAT(call.get().response, IsOk());
  EXPECT_LE(most, 4U);
}

TEST_F(PortalClientHttp2Test, StreamLimitOfThePortalOpensAnotherConnection) {
  std::atomic<Http2Server*> first = nullptr;
  std::latch elsewhere(1);
  std::atomic<bool> counted = false;
  const auto server = ServeH2(
      [&](Http2Server& http2, std::int32_t id) {
        Http2Server* none = nullptr;
        first.compare_exchange_strong(none, &http2);
        if (first != &http2 && !counted.exchange(true)) elsewhere.count_down();
        if (first == &http2 && id > 1) elsewhere.wait();  // it is full until another one answers
        http2.Answer(id, 200);
      },
      {.most_streams = 2});
  const auto client = Connect(At(server->port()));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  std::vector<std::future<TransferResult>> calls;
  for (int i = 0; i < 20; ++i) calls.push_back(Start(*client, Numbered(i), Within(absl::Seconds(20))));
  for (auto& call : calls) EXPECT_THAT(call.get().response, IsOk());
  EXPECT_GE(server->accepted(), 2);
  if (!counted) elsewhere.count_down();
}

TEST_F(PortalClientHttp2Test, StreamingReplyOfAnyLengthIsBounded) {
  constexpr std::size_t kLength = 32 << 20;
  std::int32_t large = 0;
  std::atomic<std::size_t> sent = 0;
  const auto server = ServeH2([&](Http2Server& http2, std::int32_t id) {
    if (AsksFor(http2, id, "/large")) {
      large = id;
      http2.Begin(id, 200);
      return http2.Data(id, std::string(kLength, 'x'), /*end=*/true);
    }
    sent = http2.sent(large);
    http2.Answer(id, 200);
  });
  const auto client = Connect(At(server->port()));
  std::shared_ptr<BodyReader> rest;
  std::promise<std::size_t> begun;
  SendOptions options = Within(absl::Seconds(60));
  options.streaming = true;
  client->Send(OutgoingRequestPeer::Get("/large"), options, [&](TransferResult result) {
    ASSERT_THAT(result.response, IsOk());
    rest = result.response->rest;
    rest->Next([&](const absl::StatusOr<std::string>& piece) { begun.set_value(piece->size()); });
  });
  std::size_t received = begun.get_future().get();
  // Each of these goes to the portal and back, behind all that was said of the large one.
  for (int i = 0; i < 5; ++i) ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_LE(sent, received + (256 << 10));

  std::promise<std::size_t> total;
  std::function<void()> ask = [&] {
    rest->Next([&](absl::StatusOr<std::string> piece) {
      received += piece.ok() ? piece->size() : 0;
      !piece.ok() || piece->empty() ? total.set_value(received) : ask();
    });
  };
  loop_->Post([&] { ask(); });
  EXPECT_EQ(total.get_future().get(), kLength);
  rest = nullptr;
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientHttp2Test, AbandonedStreamingReplyLeavesTheConnection) {
  std::atomic<bool> told = false;
  const auto server = ServeH2([&](Http2Server& http2, std::int32_t id) {
    if (AsksFor(http2, id, "/large")) return http2.Begin(id, 200);
    for (const auto& [each, request] : http2.requests()) told = told || request.reset == NGHTTP2_CANCEL;
    http2.Answer(id, 200);
  });
  const auto client = Connect(At(server->port()));
  SendOptions options = Within(absl::Seconds(20));
  options.streaming = true;
  std::promise<void> dropped;
  client->Send(OutgoingRequestPeer::Get("/large"), options, [&](const TransferResult&) { dropped.set_value(); });
  dropped.get_future().wait();  // and with it the reader
  while (!told) ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientHttp2Test, EndOfTheClientEndsAllItsCalls) {
  std::latch here(3);
  const auto server = ServeH2([&](Http2Server&, std::int32_t) { here.count_down(); });
  auto client = Connect(At(server->port()));
  std::vector<std::future<TransferResult>> calls;
  for (int i = 0; i < 3; ++i) calls.push_back(Start(*client, Numbered(i), Within(absl::Seconds(20))));
  here.wait();
  client.reset();
  for (auto& call : calls) EXPECT_THAT(call.get().response, RefusedWith(Reason::kDraining));
}

}  // namespace
}  // namespace lmbroker::http
