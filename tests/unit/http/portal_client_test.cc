// What becomes of requests and replies. How connections are made and judged: portal_client_tls_test.cc.

#include "service/http/portal_client.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/unit/http/portal_client_fixture.h"

namespace lmbroker::http {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class PortalClientTest : public PortalClientFixture {};

TEST_F(PortalClientTest, ReplyIsHandedOver) {
  const auto server = Serve([](TlsServer::Session& session) {
    EXPECT_THAT(session.ReadRequest(), StartsWith("GET /santaba/rest/device/devices HTTP/1.1\r\nHost: acme.example:"));
    session.Write("HTTP/1.1 404 Not Found\r\nX-Rate-Limit-Limit: 500\r\nContent-Length: 2\r\n\r\n{}");
  });
  const auto client = Connect(At(server->port()));
  const TransferResult result = Exchange(*client);
  ASSERT_THAT(result.response, IsOk());
  EXPECT_EQ(result.response->status, 404);
  EXPECT_EQ(result.response->body, "{}");
  EXPECT_EQ(result.response->headers.front(), (NameValue{"X-Rate-Limit-Limit", "500"}));
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
}

TEST_F(PortalClientTest, KeptConnectionIsUsedAgain) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  const auto client = Connect(At(server->port()));
  for (int i = 0; i < 50; ++i) ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(server->accepted(), 1);
  EXPECT_EQ(StatsOf(*client).open, 1U);
  EXPECT_EQ(StatsOf(*client).idle, 1U);
  EXPECT_GT(StatsOf(*client).last_success, absl::Now() - absl::Minutes(1));
  EXPECT_EQ(StatsOf(*client).last_failure, absl::InfinitePast());
}

TEST_F(PortalClientTest, BodiesOfAllSizesArriveToTheByte) {
  const auto server = Serve([](TlsServer::Session& session) {
    while (true) {
      const std::string request = session.ReadRequest();
      if (request.empty()) return;
      session.Write(OkReply(request.substr(request.find("\r\n\r\n") + 4)));
    }
  });
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

TEST_F(PortalClientTest, DribbledChunkedAndInterimRepliesAreRead) {
  const auto server = Serve([](TlsServer::Session& session) {
    session.ReadRequest();
    const std::string reply =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
        "chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
    for (const char c : reply) session.Write({&c, 1});
    session.ReadRequest();
    session.Write(OkReply("second"));
  });
  const auto client = Connect(At(server->port()));
  EXPECT_EQ(Exchange(*client).response->body, "abcd");
  EXPECT_EQ(Exchange(*client).response->body, "second");
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientTest, ReplyThatEndsWithTheConnectionNeedsTheGoodBye) {
  const auto server = Serve([](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write("HTTP/1.1 200 OK\r\n\r\nhalf or whole?");
    if (session.number() > 0) session.Drop();  // an attacker can cut TCP, but not say TLS's good-bye
  });
  const auto client = Connect(At(server->port()));
  EXPECT_EQ(Exchange(*client).response->body, "half or whole?");
  const TransferResult cut = Exchange(*client);
  EXPECT_THAT(cut.response, RefusedWith(Reason::kPortalUnreachable));
  EXPECT_EQ(PhaseOf(cut), "receive");
}

TEST_F(PortalClientTest, RedirectIsNotFollowed) {
  const auto server =
      Serve(AnswerAll("HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n"));
  const auto client = Connect(At(server->port()));
  EXPECT_EQ(Exchange(*client).response->status, 302);
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientTest, ConnectionThatWasClosedWhileIdleIsReplaced) {
  const auto server = Serve([](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write(OkReply("{}"));
    if (session.number() > 0) session.AwaitClose();
  });
  const auto client = Connect(At(server->port()));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  while (StatsOf(*client).open > 0) std::this_thread::yield();  // the loop notices the end by itself
  ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(server->accepted(), 2);
}

TEST_F(PortalClientTest, ClosingAfterTheReplyNeverCostsARequest) {
  // The next request races with the portal's close. Whatever wins, a request that left is reported as such, and one
  // that did not is sent on another connection.
  const auto server = Serve([](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write(OkReply("{}"));
  });
  const auto client = Connect(At(server->port()));
  int lost = 0;
  for (int i = 0; i < 200; ++i) {
    const TransferResult result = Exchange(*client);
    if (result.response.ok()) continue;
    ++lost;
    EXPECT_THAT(result.response, RefusedWith(Reason::kPortalUnreachable));
    EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
  }
  EXPECT_LT(lost, 200);
}

TEST_F(PortalClientTest, ConnectionThatSaysCloseIsNotUsedAgain) {
  const auto server = Serve(AnswerAll("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
  const auto client = Connect(At(server->port()));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(server->accepted(), 2);
}

TEST_F(PortalClientTest, KeptConnectionThatDiesUnderARequestIsReportedAsMaybeSent) {
  const auto server = Serve([](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write(OkReply("{}"));
    session.ReadRequest();
    session.Reset();
  });
  const auto client = Connect(At(server->port()));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  const TransferResult result = Exchange(*client, OutgoingRequestPeer::Post("{}"));
  EXPECT_THAT(result.response, RefusedWith(Reason::kPortalUnreachable));
  EXPECT_EQ(PhaseOf(result), "receive");
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
  EXPECT_EQ(server->accepted(), 1);
  EXPECT_GT(StatsOf(*client).last_failure, absl::Now() - absl::Minutes(1));
}

TEST_F(PortalClientTest, TruncatedReplyIsNoReply) {
  const auto server = Serve([](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  });
  const auto client = Connect(At(server->port()));
  const TransferResult result = Exchange(*client);
  EXPECT_THAT(result.response, RefusedWith(Reason::kPortalUnreachable));
  EXPECT_THAT(std::string(result.response.status().message()), HasSubstr("in the middle of its reply"));
}

TEST_F(PortalClientTest, GarbageIsAPortalErrorAndEndsTheConnection) {
  const auto server = Serve(AnswerAll("SSH-2.0-OpenSSH_9.2\r\n"));
  const auto client = Connect(At(server->port()));
  EXPECT_THAT(Exchange(*client).response, RefusedWith(Reason::kPortalError));
  EXPECT_THAT(Exchange(*client).response, RefusedWith(Reason::kPortalError));
  EXPECT_EQ(server->accepted(), 2);
}

TEST_F(PortalClientTest, SecondReplyBehindTheFirstIsNeverTakenForAnother) {
  const auto server = Serve([](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write(OkReply("mine") + OkReply("forged"));
    session.AwaitClose();
  });
  const auto client = Connect(At(server->port()));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Exchange(*client).response->body, "mine");
  EXPECT_EQ(server->accepted(), 5);
}

TEST_F(PortalClientTest, BytesWhileIdleEndTheConnection) {
  std::latch idle(1);
  const auto server = Serve([&](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write(OkReply("mine"));
    if (session.number() == 0) {
      idle.wait();
      session.Write(OkReply("forged"));
    }
    session.AwaitClose();
  });
  const auto client = Connect(At(server->port()));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  while (StatsOf(*client).idle == 0) std::this_thread::yield();
  idle.count_down();
  while (StatsOf(*client).open > 0) std::this_thread::yield();
  EXPECT_EQ(Exchange(*client).response->body, "mine");
}

TEST_F(PortalClientTest, EarlyReplyCounts) {
  std::latch received(1);
  const auto server = Serve([&](TlsServer::Session& session) {
    session.ReadSome();  // only the beginning of a body that the socket's buffers cannot hold
    session.Write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
    received.wait();
  });
  const auto client = Connect(At(server->port()));
  const TransferResult result = Exchange(*client, OutgoingRequestPeer::Post(std::string(32 << 20, 'x')));
  received.count_down();
  ASSERT_THAT(result.response, IsOk());
  EXPECT_EQ(result.response->status, 413);
  EXPECT_EQ(StatsOf(*client).open, 0U);
}

TEST_F(PortalClientTest, OversizedReplyIsRefused) {
  const auto server = Serve([](TlsServer::Session& session) {
    session.ReadRequest();
    session.Write("HTTP/1.1 200 OK\r\n\r\n");
    while (session.Write(std::string(10'000, 'x'))) {
    }
  });
  const auto client = Connect(At(server->port()));
  SendOptions options = Within(absl::Seconds(20));
  options.most_reply_bytes = 100'000;
  EXPECT_THAT(Start(*client, OutgoingRequestPeer::Get(), options).get().response, RefusedWith(Reason::kReplyTooLarge));
  EXPECT_EQ(StatsOf(*client).open, 0U);
}

TEST_F(PortalClientTest, LargeReplyIsReadInTurns) {
  const std::string large(32 << 20, 'x');
  const auto server = Serve(AnswerAll(OkReply(large)));
  const auto client = Connect(At(server->port()));
  const TransferResult result = Exchange(*client);
  ASSERT_THAT(result.response, IsOk());
  EXPECT_TRUE(result.response->body == large);
  EXPECT_EQ(StatsOf(*client).idle, 1U);
}

// Deadlines and cancellation, wherever the transfer stands.

TEST_F(PortalClientTest, DeadlineEndsATransferThatWaitsForItsReply) {
  const auto server = Serve([](TlsServer::Session& session) { session.AwaitClose(); });
  const auto client = Connect(At(server->port()));
  const TransferResult result = Start(*client, OutgoingRequestPeer::Get(), Within(absl::Milliseconds(300))).get();
  EXPECT_THAT(result.response, RefusedWith(Reason::kDeadline));
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
  EXPECT_EQ(StatsOf(*client).open, 0U);
}

TEST_F(PortalClientTest, DeadlineThatHasPassedSendsNothing) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  const auto client = Connect(At(server->port()));
  const TransferResult result = Start(*client, OutgoingRequestPeer::Get(), Within(-absl::Milliseconds(1))).get();
  EXPECT_THAT(result.response, RefusedWith(Reason::kDeadline));
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
  EXPECT_EQ(server->accepted(), 0);
}

TEST_F(PortalClientTest, DeadlineEndsATransferThatWaitsForAConnection) {
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

TEST_F(PortalClientTest, CancellationBeforeTheSendSendsNothing) {
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

TEST_F(PortalClientTest, CancellationWhileConnectingSendsNothing) {
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

TEST_F(PortalClientTest, CancellationWhileTheBodyIsUnderWayClosesTheConnection) {
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

TEST_F(PortalClientTest, CancellationInTheMiddleOfTheReplyClosesTheConnection) {
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

TEST_F(PortalClientTest, CancellationAfterTheEndChangesNothing) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  const auto client = Connect(At(server->port()));
  std::stop_source stop;
  ASSERT_THAT(Start(*client, OutgoingRequestPeer::Get(), Within(absl::Seconds(20), stop.get_token())).get().response,
              IsOk());
  stop.request_stop();
  ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientTest, CancellationRacingWithTheReplyEndsOnce) {
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

TEST_F(PortalClientTest, NoMoreConnectionsThanAllowedAndTheQueueIsBounded) {
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

TEST_F(PortalClientTest, ConnectionEndsAfterItsMostExchanges) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  const auto client = Connect(At(server->port()), {.most_exchanges = 10});
  for (int i = 0; i < 30; ++i) ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(server->accepted(), 3);
}

TEST_F(PortalClientTest, IdleConnectionIsClosedAfterItsTime) {
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

TEST_F(PortalClientTest, UnknownPortalIsRefused) {
  const auto server = Serve(AnswerAll(OkReply("{}")));
  const auto client = Connect(At(server->port()));
  const TransferResult result =
      Exchange(*client, OutgoingRequestPeer::Make({.method = "GET", .path = "/a"}, "Bearer x", "1", "other"));
  EXPECT_THAT(result.response, RefusedWith(Reason::kUnknownPortal));
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
}

// The whole.

TEST_F(PortalClientTest, ManySendersManyRequests) {
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

TEST_F(PortalClientTest, BlockingSendersShareFewConnections) {
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

TEST_F(PortalClientTest, EndOfTheClientEndsEveryTransfer) {
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
