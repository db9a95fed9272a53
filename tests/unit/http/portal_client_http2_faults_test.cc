// Portals that leave, break off, or do not speak HTTP/2 as they said. Those that fall silent:
// portal_client_silence_test.cc.

#include <atomic>
#include <future>
#include <latch>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "service/http/portal_client.h"
#include "tests/unit/http/portal_client_http2_fixture.h"

namespace lmbroker::http {
namespace {

using testing::Each;
using testing::Pair;

class PortalClientHttp2FaultsTest : public PortalClientHttp2Fixture {
 protected:
  static void AnswerOk(Http2Server& http2, std::int32_t id) { http2.Answer(id, 200, {}, "{}"); }
  // Until the first request is answered.
  static void AnswerFirst(Http2Server& http2, TlsServer::Session& session) {
    while (http2.requests().empty() && ServeHttp2Turn(http2, session, AnswerOk)) {
    }
    AnswerOk(http2, 1);
    session.Write(http2.Send());
  }
  // Data of no stream, after which there is no going on.
  static std::string NoHttp2() { return std::string("\0\0\1\0\0\0\0\0\0x", 10); }
};

TEST_F(PortalClientHttp2FaultsTest, LostConnectionIsMaybeSentForThoseSentAndOthersAreRepeated) {
  const auto server = ServeH2Script([](TlsServer::Session& session) {
    Http2Server http2;
    const bool first = session.number() == 0;
    const Http2Handler handle = [&](Http2Server&, std::int32_t id) {
      if (!first || id == 1) AnswerOk(http2, id);
    };
    while ((!first || http2.requests().size() < 3) && ServeHttp2Turn(http2, session, handle)) {
    }
    session.Drop();
  });
  Upstream upstream = At(server->port());
  upstream.most_connections = 2;
  const auto client = Connect(std::move(upstream));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  std::vector<std::future<TransferResult>> calls;
  for (int i = 0; i < 4; ++i) calls.push_back(Start(*client, Numbered(i), Within(absl::Seconds(20))));
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const TransferResult result = calls[i].get();
    if (i < 2) {
      EXPECT_THAT(result.response, RefusedWith(Reason::kPortalUnreachable));
      EXPECT_EQ(PhaseOf(result), "receive");
      EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
    } else {
      EXPECT_THAT(result.response, IsOk());  // they waited for a place, and had not been sent
    }
  }
  EXPECT_EQ(server->accepted(), 2);
}

// The end of a connection that served others before says nothing about a call of which no byte left.
TEST_F(PortalClientHttp2FaultsTest, KeptConnectionThatDiedBeforeTheCallCostsNothing) {
  std::latch end(1);
  const auto server = ServeH2Script([&](TlsServer::Session& session) {
    if (session.number() > 0) return ServeHttp2(AnswerOk)(session);
    Http2Server http2;
    AnswerFirst(http2, session);
    end.wait();
    session.Reset();
  });
  const auto client = Connect(At(server->port()));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  std::promise<std::future<TransferResult>> call;
  loop_->Post([&] {  // while the loop has not heard of the end
    end.count_down();
    while (server->closed() == 0) std::this_thread::yield();
    call.set_value(Start(*client, OutgoingRequestPeer::Post("{}"), Within(absl::Seconds(20))));
  });
  const TransferResult result = call.get_future().get().get();
  EXPECT_THAT(result.response, IsOk()) << (result.delivery == Delivery::kNotSent ? "not sent" : "maybe sent");
  EXPECT_EQ(server->accepted(), 2);
}

TEST_F(PortalClientHttp2FaultsTest, GoAwayCostsNoRequest) {
  constexpr int kCalls = 500;
  std::mutex mutex;
  std::map<std::string, int> seen;
  const auto server = ServeH2Script([&](TlsServer::Session& session) {
    int served = 0;
    ServeHttp2([&](Http2Server& http2, std::int32_t id) {
      if (++served > 10) return;  // it said that it would not
      {
        const std::lock_guard lock(mutex);
        ++seen[http2.request(id).Field("x-request-id")];
      }
      AnswerOk(http2, id);
      if (served == 10) http2.GoAway(id);
    })(session);
  });
  const auto client = Connect(At(server->port()));
  std::atomic<int> next = 0;
  std::vector<std::jthread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      for (int number = next++; number < kCalls; number = next++) {
        EXPECT_THAT(Exchange(*client, Numbered(number)).response, IsOk()) << number;
      }
    });
  }
  callers.clear();
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kCalls));
  EXPECT_THAT(seen, Each(Pair(testing::_, 1)));
  EXPECT_GE(server->accepted(), kCalls / 10);
}

TEST_F(PortalClientHttp2FaultsTest, RefusedCallIsSentAgainEightTimesAtMost) {
  std::atomic<int> refused = 0;
  const auto server = ServeH2([&](Http2Server& http2, std::int32_t id) {
    if (AsksFor(http2, id, "/always") || id == 1) {
      ++refused;
      return http2.Reset(id, NGHTTP2_REFUSED_STREAM);
    }
    AnswerOk(http2, id);
  });
  const auto client = Connect(At(server->port()));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(refused, 1);
  const TransferResult always = Exchange(*client, OutgoingRequestPeer::Get("/always"));
  EXPECT_THAT(always.response, RefusedWith(Reason::kPortalUnreachable));
  EXPECT_EQ(PhaseOf(always), "send");
  EXPECT_EQ(always.delivery, Delivery::kNotSent);
  EXPECT_EQ(refused, 1 + 1 + 8);
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientHttp2FaultsTest, ResetCallLeavesTheOthers) {
  const auto server = ServeH2([](Http2Server& http2, std::int32_t id) {
    if (AsksFor(http2, id, "/reset")) return http2.Reset(id, NGHTTP2_INTERNAL_ERROR);
    AnswerOk(http2, id);
  });
  const auto client = Connect(At(server->port()));
  const TransferResult result = Exchange(*client, OutgoingRequestPeer::Get("/reset"));
  EXPECT_THAT(result.response, RefusedWith(Reason::kPortalUnreachable));
  EXPECT_EQ(PhaseOf(result), "receive");
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
  ASSERT_THAT(Exchange(*client).response, IsOk());
  EXPECT_EQ(server->accepted(), 1);
}

TEST_F(PortalClientHttp2FaultsTest, RepliesThatComeAfterTheirCallHasEndedAreNobodys) {
  std::vector<std::int32_t> late;
  std::latch asked(2);
  const auto server = ServeH2([&](Http2Server& http2, std::int32_t id) {
    if (AsksFor(http2, id, "/late")) {
      late.push_back(id);
      return asked.count_down();
    }
    for (const std::int32_t each : late) http2.Answer(each, 200, {}, "late");
    late.clear();
    http2.Answer(id, 200, {}, "mine");
  });
  const auto client = Connect(At(server->port()));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  std::stop_source stop;
  std::vector<std::future<TransferResult>> cancelled;
  for (int i = 0; i < 2; ++i) {
    cancelled.push_back(Start(*client, OutgoingRequestPeer::Get("/late"), Within(absl::Seconds(20), stop.get_token())));
  }
  asked.wait();
  stop.request_stop();
  for (auto& call : cancelled) EXPECT_THAT(call.get().response, StatusIs(absl::StatusCode::kCancelled));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Exchange(*client).response->body, "mine");
  EXPECT_EQ(server->accepted(), 1);
}

// Of such a call the portal hears only that it was reset, to which it need not say anything.
TEST_F(PortalClientHttp2FaultsTest, MalformedReplyEndsItsCallAtOnce) {
  const std::vector<Http2Server::Fields> heads = {{{":status", "200"}, {"content-length", "5"}},
                                                  {{":status", "20x"}},
                                                  {{":status", "200"}, {"connection", "close"}}};
  std::atomic<std::size_t> which = 0;
  const auto server = ServeH2([&](Http2Server& http2, std::int32_t id) {
    if (!AsksFor(http2, id, "/odd")) return AnswerOk(http2, id);
    http2.Respond(id, heads[which], "abc", /*end=*/true);
  });
  for (which = 0; which < heads.size(); ++which) {
    const auto client = Connect(At(server->port()));
    const TransferResult odd = Start(*client, OutgoingRequestPeer::Get("/odd"), Within(absl::Seconds(10))).get();
    EXPECT_THAT(odd.response, RefusedWith(Reason::kPortalError)) << which;
    EXPECT_EQ(odd.delivery, Delivery::kMaybeSent);
    EXPECT_THAT(Exchange(*client).response, IsOk());
    EXPECT_EQ(StatsOf(*client).open, 1U);
  }
}

TEST_F(PortalClientHttp2FaultsTest, MalformedReplyEndsItsCallOnceThoughItIsGivenUp) {
  const auto server = ServeH2([&](Http2Server& http2, std::int32_t id) {
    if (!AsksFor(http2, id, "/odd")) return AnswerOk(http2, id);
    http2.Answer(id, 200, {{"content-length", "5"}}, "abc");
  });
  const auto client = Connect(At(server->port()));
  for (int i = 0; i < 3; ++i) {
    std::atomic<int> ended = 0;
    std::promise<void> done;
    client->Send(OutgoingRequestPeer::Get("/odd"), Within(absl::Milliseconds(300)), [&](const TransferResult& result) {
      EXPECT_FALSE(result.response.ok());
      if (++ended == 1) done.set_value();
    });
    done.get_future().wait();
    ASSERT_THAT(Exchange(*client).response, IsOk());
    EXPECT_EQ(ended, 1);
  }
}

TEST_F(PortalClientHttp2FaultsTest, WhatIsNoHttp2EndsTheConnectionAtOnce) {
  const auto server = ServeH2Script([](TlsServer::Session& session) {
    Http2Server http2;
    while (http2.requests().empty() && ServeHttp2Turn(http2, session, [](Http2Server&, std::int32_t) {})) {
    }
    session.Write(NoHttp2());
    session.AwaitClose();  // it closes nothing by itself
  });
  const auto client = Connect(At(server->port()));
  const TransferResult result = Start(*client, OutgoingRequestPeer::Get(), Within(absl::Seconds(10))).get();
  EXPECT_THAT(result.response, RefusedWith(Reason::kPortalError));
  EXPECT_EQ(result.delivery, Delivery::kMaybeSent);
  EXPECT_EQ(StatsOf(*client).open, 0U);
}

TEST_F(PortalClientHttp2FaultsTest, GarbageWhileIdleEndsTheConnection) {
  std::latch idle(1);
  const auto server = ServeH2Script([&](TlsServer::Session& session) {
    if (session.number() > 0) return ServeHttp2(AnswerOk)(session);
    Http2Server http2;
    AnswerFirst(http2, session);
    idle.wait();
    session.Write(NoHttp2());
    session.AwaitClose();
  });
  const auto client = Connect(At(server->port()));
  ASSERT_THAT(Exchange(*client).response, IsOk());
  while (StatsOf(*client).idle == 0) std::this_thread::yield();
  idle.count_down();
  while (StatsOf(*client).open > 0) std::this_thread::yield();
  EXPECT_THAT(Exchange(*client).response, IsOk());
}

TEST_F(PortalClientHttp2FaultsTest, PortalThatChoseHttp2AndSpeaksHttp11IsAPortalError) {
  const auto server = ServeH2Script([](TlsServer::Session& session) {
    session.ReadSome();
    session.Write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    session.AwaitClose();
  });
  const auto client = Connect(At(server->port()));
  const TransferResult result = Start(*client, OutgoingRequestPeer::Get(), Within(absl::Seconds(10))).get();
  EXPECT_THAT(result.response, RefusedWith(Reason::kPortalError));
}

}  // namespace
}  // namespace lmbroker::http
