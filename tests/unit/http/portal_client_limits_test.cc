// Deadlines, cancellation, limits, many senders, and the end of the client.

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/http/portal_client.h"
#include "tests/unit/http/portal_client_fixture.h"

namespace lmbroker::http {
namespace {

class PortalClientLimitsTest : public PortalClientFixture {};

TEST_F(PortalClientLimitsTest, DeadlineEndsATransferThatWaitsForItsReply) {
  const auto server = Serve([](TlsServer::Session& session) { session.AwaitClose(); });
  const auto client = Connect(At(server->port()));
  const TransferResult result = Start(*client, OutgoingRequestPeer::Get(), Within(absl::Milliseconds(300))).get();
  EXPECT_THAT(result.response, RefusedWith(Reason::kDeadline));
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
  EXPECT_EQ(StatsOf(*client).open, 0U);
}

TEST_F(PortalClientLimitsTest, DeadlineThatHasPassedSendsNothing) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  const auto client = Connect(At(server->port()));
  const TransferResult result = Start(*client, OutgoingRequestPeer::Get(), Within(-absl::Milliseconds(1))).get();
  EXPECT_THAT(result.response, RefusedWith(Reason::kDeadline));
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
  EXPECT_EQ(server->accepted(), 0);
}

TEST_F(PortalClientLimitsTest, DeadlineEndsATransferThatWaitsForAConnection) {
  const auto server = Serve([](TlsServer::Session& session) { session.AwaitClose(); });
  Upstream upstream = At(server->port());
  upstream.most_connections = 1;
  const auto client = Connect(std::move(upstream));
  std::stop_source stop;
  auto first = Start(*client, OutgoingRequestPeer::Get(), Within(absl::Seconds(20), stop.get_token()));
  auto second = Start(*client, OutgoingRequestPeer::Get(), Within(absl::Milliseconds(200)));
  const TransferResult waited = second.get();
  EXPECT_THAT(waited.response, RefusedWith(Reason::kDeadline));
  EXPECT_EQ(waited.delivery, Delivery::kNotSent);
  stop.request_stop();
  EXPECT_THAT(first.get().response, StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(PortalClientLimitsTest, RepliesShareTheirMemory) {
  ByteBudget memory(3000);
  const auto server = Serve(AnswerAll(OkReply(std::string(2000, 'x'))));
  const auto client = Connect(At(server->port()), {.memory = &memory});
  {
    const TransferResult held = Exchange(*client);
    ASSERT_THAT(held.response, IsOk());
    EXPECT_EQ(memory.taken(), 2000U);
    const TransferResult refused = Exchange(*client);
    EXPECT_THAT(refused.response, RefusedWith(Reason::kQueueFull));
    EXPECT_EQ(refused.delivery, Delivery::kMaybeSent);
    EXPECT_EQ(StatsOf(*client).last_failure, absl::InfinitePast());  // that was no fault of the portal's
    EXPECT_EQ(memory.taken(), 2000U);
  }
  EXPECT_EQ(memory.taken(), 0U);
  EXPECT_THAT(Exchange(*client).response, IsOk());
}

TEST_F(PortalClientLimitsTest, CancellationBeforeTheSendSendsNothing) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  const auto client = Connect(At(server->port()));
  std::stop_source stop;
  stop.request_stop();
  const TransferResult result =
      Start(*client, OutgoingRequestPeer::Get(), Within(absl::Seconds(20), stop.get_token())).get();
  EXPECT_THAT(result.response, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
  EXPECT_EQ(server->accepted(), 0);
}

TEST_F(PortalClientLimitsTest, CancellationWhileConnectingSendsNothing) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  const auto client = Connect(At(server->port()));
  for (int i = 0; i < 20; ++i) {
    std::stop_source stop;
    auto transfer = Start(*client, OutgoingRequestPeer::Get(), Within(absl::Seconds(20), stop.get_token()));
    stop.request_stop();
    const TransferResult result = transfer.get();
    EXPECT_TRUE(result.response.ok() || result.response.status().code() == absl::StatusCode::kCancelled);
  }
}

TEST_F(PortalClientLimitsTest, CancellationWhileTheBodyIsUnderWayClosesTheConnection) {
  std::latch started(1);
  std::latch closed(1);
  const auto server = Serve([&](TlsServer::Session& session) {
    session.ReadSome();
    started.count_down();
    session.AwaitClose();
    closed.count_down();
  });
  const auto client = Connect(At(server->port()));
  std::stop_source stop;
  auto transfer = Start(*client, OutgoingRequestPeer::Post(std::string(32 << 20, 'x')),
                        Within(absl::Seconds(20), stop.get_token()));
  started.wait();
  stop.request_stop();
  const TransferResult result = transfer.get();
  EXPECT_THAT(result.response, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
  closed.wait();
}

TEST_F(PortalClientLimitsTest, CancellationInTheMiddleOfTheReplyClosesTheConnection) {
  std::latch half(1);
  std::latch closed(1);
  const auto server = Serve([&](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    half.count_down();
    session.AwaitClose();
    closed.count_down();
  });
  const auto client = Connect(At(server->port()));
  std::stop_source stop;
  auto transfer = Start(*client, OutgoingRequestPeer::Get(), Within(absl::Seconds(20), stop.get_token()));
  half.wait();
  stop.request_stop();
  EXPECT_THAT(transfer.get().response, StatusIs(absl::StatusCode::kCancelled));
  closed.wait();
  EXPECT_EQ(StatsOf(*client).open, 0U);
}

TEST_F(PortalClientLimitsTest, CancellationAfterTheEndChangesNothing) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  const auto client = Connect(At(server->port()));
  std::stop_source stop;
  ASSERT_THAT(Start(*client, OutgoingRequestPeer::Get(), Within(absl::Seconds(20), stop.get_token())).get().response,
              IsOk());
  stop.request_stop();
  ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientLimitsTest, CancellationRacingWithTheReplyEndsOnce) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
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
}

// Limits.

TEST_F(PortalClientLimitsTest, NoMoreConnectionsThanAllowedAndTheQueueIsBounded) {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  std::latch all_sent(1);
  const auto server = Serve([&](TlsServer::Session& session) {
    most = std::max<int>(most, ++now);
    while (!session.ReadRequest().empty()) {
      all_sent.wait();
      session.Write(OkReply("{}"));
    }
    --now;
  });
  Upstream upstream = At(server->port());
  upstream.most_connections = 3;
  const auto client = Connect(std::move(upstream), {.most_waiting = 20});
  std::vector<std::future<TransferResult>> transfers;
  for (int i = 0; i < 60; ++i)
    transfers.push_back(Start(*client, OutgoingRequestPeer::Get(), Within(absl::Seconds(20))));
  all_sent.count_down();
  int answered = 0;
  int refused = 0;
  for (auto& transfer : transfers) {
    const TransferResult result = transfer.get();
    if (result.response.ok()) {
      ++answered;
    } else {
      EXPECT_THAT(result.response, RefusedWith(Reason::kQueueFull));
      EXPECT_EQ(result.delivery, Delivery::kNotSent);
      ++refused;
    }
  }
  EXPECT_GE(answered, 20);
  EXPECT_LE(answered, 23);
  EXPECT_EQ(answered + refused, 60);
  EXPECT_LE(server->accepted(), 3);
}

TEST_F(PortalClientLimitsTest, ConnectionEndsAfterItsMostExchanges) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  const auto client = Connect(At(server->port()), {.most_exchanges = 10});
  for (int i = 0; i < 30; ++i) ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(server->accepted(), 3);
}

TEST_F(PortalClientLimitsTest, IdleConnectionIsClosedAfterItsTime) {
  std::latch closed(1);
  const auto server = Serve([&](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write(OkReply("{}"));
    session.AwaitClose();
    closed.count_down();
  });
  const auto client = Connect(At(server->port()), {.most_idle = absl::Milliseconds(50)});
  ASSERT_THAT(Exchange(*client).response, IsOk());
  closed.wait();
  EXPECT_EQ(StatsOf(*client).open, 0U);
}

TEST_F(PortalClientLimitsTest, UnknownPortalIsRefused) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  const auto client = Connect(At(server->port()));
  const TransferResult result =
      Exchange(*client, OutgoingRequestPeer::Make({.method = "GET", .path = "/a"}, "Bearer x", "1", "other"));
  EXPECT_THAT(result.response, RefusedWith(Reason::kUnknownPortal));
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
}

// The whole.

TEST_F(PortalClientLimitsTest, ManySendersManyRequests) {
  const auto server = Serve([](TlsServer::Session& session) {
    while (true) {
      const std::string request = session.ReadRequest();
      if (request.empty()) return;
      session.Write(OkReply(request.substr(request.find("\r\n\r\n") + 4)));
    }
  });
  const auto client = Connect(At(server->port()));
  constexpr int kConcurrent = 64;
  constexpr int kEach = 125;
  std::atomic<int> right = 0;
  std::latch ended(kConcurrent);
  // Each chain sends its next request from the `done` of the one before, on the loop's thread; the first ones come from
  // threads of their own.
  std::function<void(int, int)> send = [&](int chain, int number) {
    if (number == kEach) return ended.count_down();
    const std::string body = fmt::format("{}-{}", chain, number);
    client->Send(OutgoingRequestPeer::Post(body), Within(absl::Seconds(60)),
                 [&, chain, number, body](TransferResult result) {
                   if (result.response.ok() && result.response->body == body) ++right;
                   send(chain, number + 1);
                 });
  };
  std::vector<std::jthread> threads;
  for (int chain = 0; chain < kConcurrent; ++chain) threads.emplace_back([&, chain] { send(chain, 0); });
  threads.clear();
  ended.wait();
  EXPECT_EQ(right, kConcurrent * kEach);
  EXPECT_LE(server->accepted(), 64);
}

TEST_F(PortalClientLimitsTest, BlockingSendersShareFewConnections) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  Upstream upstream = At(server->port());
  upstream.most_connections = 4;
  const auto client = Connect(std::move(upstream));
  std::atomic<int> good = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 100; ++n) good += Exchange(*client).response.ok() ? 1 : 0;
    });
  }
  threads.clear();
  EXPECT_EQ(good, 1600);
  EXPECT_LE(server->accepted(), 4);
}

TEST_F(PortalClientLimitsTest, EndOfTheClientEndsEveryTransfer) {
  const auto server = Serve([](TlsServer::Session& session) { session.AwaitClose(); });
  Upstream upstream = At(server->port());
  upstream.most_connections = 4;
  auto owned = Connect(std::move(upstream));
  PortalClient* const client = owned.get();
  std::atomic<int> ended = 0;
  for (int i = 0; i < 20; ++i) {
    client->Send(OutgoingRequestPeer::Get(), Within(absl::Seconds(60)), [&](TransferResult result) {
      EXPECT_THAT(result.response, RefusedWith(Reason::kDraining));
      ++ended;
      // Whoever tries again is refused at once.
      client->Send(OutgoingRequestPeer::Get(), Within(absl::Seconds(60)), [&](TransferResult again) {
        EXPECT_THAT(again.response, RefusedWith(Reason::kDraining));
        ++ended;
      });
    });
  }
  while (server->accepted() < 2) std::this_thread::yield();
  owned.reset();
  EXPECT_EQ(ended, 40);
}

}  // namespace
}  // namespace lmbroker::http
