// What becomes of requests and replies. How connections are made: portal_client_tls_test.cc; how transfers end early
// and what bounds them: portal_client_limits_test.cc.

#include "service/http/portal_client.h"

#include <latch>
#include <string>
#include <thread>

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

}  // namespace
}  // namespace lmbroker::http
