// What is sent, and what comes of good replies. What a portal does wrong: http2_session_faults_test.cc; that nothing of
// a signature is left in memory: http2_session_memory_test.cc.

#include "service/http/http2_session.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/http/http2_session_fixture.h"

namespace lmbroker::http {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST_F(Http2SessionTest, RequestIsSentAsFramed) {
  const ExchangePtr exchange = Start(Make(OutgoingRequestPeer::Make({.method = "POST",
                                                                     .path = "/device/devices",
                                                                     .query = {{"size", "50"}},
                                                                     .headers = {{"If-Match", "a: b"}},
                                                                     .body = "{\"a\": 1}"},
                                                                    "Bearer not-a-real-key")));
  Run();
  const Http2Server::Request& request = RequestOf(exchange);
  EXPECT_TRUE(request.ended);
  EXPECT_EQ(request.body, "{\"a\": 1}");
  const std::vector<std::pair<std::string, std::string>> first(request.fields.begin(), request.fields.begin() + 4);
  EXPECT_THAT(first, ElementsAre(Pair(":method", "POST"), Pair(":scheme", "https"),
                                 Pair(":path", "/santaba/rest/device/devices?size=50"),
                                 Pair(":authority", "acme.example:4443")));
  EXPECT_THAT(request.fields,
              AllOf(Contains(Pair("content-length", "8")), Contains(Pair("x-version", "3")),
                    Contains(Pair("accept", "application/json")), Contains(Pair("content-type", "application/json")),
                    Contains(Pair("x-request-id", "0f8fad5b-d9cb-469f-a165-70867728950e")),
                    Contains(Pair("if-match", "a: b")), Contains(Pair("authorization", "Bearer not-a-real-key"))));
  EXPECT_EQ(request.Field("host"), "");
}

TEST_F(Http2SessionTest, RequestWithoutABodyEndsWithItsHead) {
  const ExchangePtr exchange = Start();
  Run();
  EXPECT_TRUE(RequestOf(exchange).ended);
  EXPECT_EQ(RequestOf(exchange).Field(":method"), "GET");
  EXPECT_EQ(RequestOf(exchange).Field("content-length"), "");
}

TEST_F(Http2SessionTest, BodiesOfAllSizesArriveToTheByte) {
  for (const std::size_t size : {1UL, 15'000UL, 16'384UL, 16'385UL, 100'000UL, 1UL << 20}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 31 + i / 251);
    const ExchangePtr exchange = Start(Make(OutgoingRequestPeer::Post(body)));
    Run();
    EXPECT_TRUE(RequestOf(exchange).ended);
    EXPECT_TRUE(RequestOf(exchange).body == body) << size;
  }
}

TEST_F(Http2SessionTest, AHeadAsLargeAsHttp11TakesIsSent) {
  RequestParts parts{.method = "GET", .path = "/device/devices"};
  for (const char* const name : {"Accept", "Accept-Language", "Content-Type", "If-Match", "If-None-Match",
                                 "If-Modified-Since", "X-Request-Id", "traceparent", "tracestate"}) {
    parts.headers.push_back({name, std::string(8 << 10, '~')});
  }
  const ExchangePtr exchange = Start(Make(OutgoingRequestPeer::Make(std::move(parts))));
  Run();
  ASSERT_THAT(outcomes_, IsEmpty());
  EXPECT_EQ(RequestOf(exchange).Field("tracestate").size(), 8U << 10);
}

TEST_F(Http2SessionTest, AuthorizationIsNeverIndexed) {
  for (int i = 0; i < 3; ++i) {
    const ExchangePtr exchange = Start();
    Run();
    EXPECT_THAT(RequestOf(exchange).never_indexed, ElementsAre("authorization", "x-request-id"));
  }
}

// All callers' calls share the table, and its effect on lengths can be seen.
TEST_F(Http2SessionTest, WhatOnlySomeCallersSendIsNeverIndexed) {
  const ExchangePtr exchange = Start(Make(OutgoingRequestPeer::Make(
      {.method = "GET", .path = "/a", .headers = {{"If-Match", "\"1\""}, {"traceparent", "00-a-b-01"}}})));
  Run();
  EXPECT_THAT(RequestOf(exchange).never_indexed,
              ElementsAre("authorization", "if-match", "traceparent", "x-request-id"));  // sorted
}

// What is sent is kept in a buffer of fixed size, so that no copy of it is left where that grew.
TEST_F(Http2SessionTest, ARecordAndAFrameIsTheMostThatIsSentAtATime) {
  Open({.window = 10 << 20});
  for (int i = 0; i < 50; ++i) Start(Make(OutgoingRequestPeer::Post(std::string(100'000, 'x'))));
  std::size_t most = 0;
  std::size_t all = 0;
  for (std::string out; session_->Send(out, begun_), !out.empty(); out.clear()) {
    most = std::max(most, out.size());
    all += out.size();
  }
  EXPECT_LE(most, 2 * kTlsRecordBytes + 64);
  EXPECT_GE(all, 50U * 100'000U);
}

TEST_F(Http2SessionTest, AnExchangeHasBegunWhenItsFirstByteIsHandedOut) {
  Open({.most_streams = 1});
  const ExchangePtr first = Start();
  const ExchangePtr second = Start();  // waits for the portal's limit
  EXPECT_THAT(begun_, IsEmpty());
  Run();
  EXPECT_THAT(begun_, ElementsAre(first));
  portal_->Answer(first->stream(), 200);
  Run();
  EXPECT_THAT(begun_, ElementsAre(first, second));
}

TEST_F(Http2SessionTest, ReplyIsHandedOver) {
  const ExchangePtr exchange = Start();
  Run();
  EXPECT_FALSE(exchange->reply().started());
  portal_->Answer(exchange->stream(), 404, {{"content-type", "a/b"}, {"x-empty", ""}, {"content-length", "5"}},
                  "hello");
  Run();
  ASSERT_THAT(ResponseTo(exchange), IsOk());
  const Response& response = *ResponseTo(exchange);
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "hello");
  EXPECT_THAT(response.headers, ElementsAre(NameValue{"content-type", "a/b"}, NameValue{"x-empty", ""},
                                            NameValue{"content-length", "5"}));
  EXPECT_FALSE(OutcomeOf(exchange).repeat);
  EXPECT_EQ(session_->streams(), 0U);
}

TEST_F(Http2SessionTest, BytesThatComeOneByOneMakeTheSameReply) {
  const ExchangePtr exchange = Start();
  Run();
  portal_->Interim(exchange->stream(), 103, {{"link", "a"}});
  portal_->Answer(exchange->stream(), 201, {{"a", "b"}}, "hello");
  for (const char byte : portal_->Send()) ASSERT_TRUE(session_->Receive({&byte, 1}));
  Collect();
  ASSERT_THAT(ResponseTo(exchange), IsOk());
  EXPECT_EQ(ResponseTo(exchange)->status, 201);
  EXPECT_EQ(ResponseTo(exchange)->body, "hello");
  EXPECT_THAT(ResponseTo(exchange)->headers, ElementsAre(NameValue{"a", "b"}));
}

TEST_F(Http2SessionTest, RepliesInAnyOrder) {
  std::vector<ExchangePtr> exchanges;
  for (int i = 0; i < 10; ++i) exchanges.push_back(Start());
  Run();
  for (const auto& exchange : exchanges) portal_->Begin(exchange->stream(), 200);
  for (auto each = exchanges.rbegin(); each != exchanges.rend(); ++each) {
    portal_->Data((*each)->stream(), std::to_string((*each)->stream()), /*end=*/true);
    Run();
    ASSERT_THAT(ResponseTo(*each), IsOk());
    EXPECT_EQ(ResponseTo(*each)->body, std::to_string((*each)->stream()));
  }
}

TEST_F(Http2SessionTest, RepliesOfManyMegabytesAreRead) {
  const ExchangePtr exchange = Start();
  Run();
  const std::string large(20 << 20, 'x');  // more than the connection's window
  portal_->Answer(exchange->stream(), 200, {}, large);
  Run();
  ASSERT_THAT(ResponseTo(exchange), IsOk());
  EXPECT_TRUE(ResponseTo(exchange)->body == large);
}

TEST_F(Http2SessionTest, TenInterimRepliesAreSkipped) {
  const ExchangePtr exchange = Start();
  Run();
  for (int i = 0; i < 10; ++i) portal_->Interim(exchange->stream(), 103, {{"link", "a"}});
  Run();
  EXPECT_EQ(Ended(exchange), 0U);
  portal_->Answer(exchange->stream(), 200, {{"a", "b"}});
  Run();
  ASSERT_THAT(ResponseTo(exchange), IsOk());
  EXPECT_EQ(ResponseTo(exchange)->status, 200);
  EXPECT_THAT(ResponseTo(exchange)->headers, ElementsAre(NameValue{"a", "b"}));
}

TEST_F(Http2SessionTest, TrailersAreIgnored) {
  const ExchangePtr exchange = Start();
  Run();
  portal_->Begin(exchange->stream(), 200, {{"a", "b"}});
  portal_->Data(exchange->stream(), "hello");
  portal_->Trailers(exchange->stream(), {{"late", "c"}});
  Run();
  ASSERT_THAT(ResponseTo(exchange), IsOk());
  EXPECT_EQ(ResponseTo(exchange)->body, "hello");
  EXPECT_THAT(ResponseTo(exchange)->headers, ElementsAre(NameValue{"a", "b"}));
}

TEST_F(Http2SessionTest, EarlyReplyCountsAndTheRestOfTheRequestIsNotSent) {
  const std::string body(1 << 20, 'x');
  const ExchangePtr exchange = Start(Make(OutgoingRequestPeer::Post(body)));
  ASSERT_TRUE(portal_->Receive(FromClient()));  // as much as the portal's window lets it send
  ASSERT_FALSE(RequestOf(exchange).ended);
  const std::string window = portal_->Send();
  portal_->Answer(exchange->stream(), 413, {}, "big");
  ASSERT_TRUE(session_->Receive(portal_->Send()));
  ASSERT_TRUE(session_->Receive(window));
  Run();
  ASSERT_THAT(ResponseTo(exchange), IsOk());
  EXPECT_EQ(ResponseTo(exchange)->status, 413);
  EXPECT_EQ(ResponseTo(exchange)->body, "big");
  EXPECT_EQ(RequestOf(exchange).reset, NGHTTP2_CANCEL);
  EXPECT_LT(RequestOf(exchange).body.size(), body.size());
  ExpectOthersGoOn();
}

TEST_F(Http2SessionTest, StreamingReaderWhoIsBehindStopsThePortal) {
  const ExchangePtr exchange = Start(Make(OutgoingRequestPeer::Get(), {.streaming = true}));
  const ExchangePtr other = Start();
  Run();
  const std::string body(1 << 20, 'x');
  portal_->Begin(exchange->stream(), 200);
  portal_->Data(exchange->stream(), body, /*end=*/true);
  Run();
  EXPECT_THAT(session_->TakeNews(), Contains(exchange));
  EXPECT_TRUE(exchange->full());
  EXPECT_EQ(exchange->reply().body_size(), Exchange::kMostBuffered);
  EXPECT_EQ(portal_->sent(exchange->stream()), Exchange::kMostBuffered);
  EXPECT_EQ(Ended(exchange), 0U);
  portal_->Answer(other->stream(), 200, {}, body);  // for others there is room
  Run();
  ASSERT_THAT(ResponseTo(other), IsOk());

  std::size_t received = 0;
  while (Ended(exchange) == 0) {
    const std::string piece = exchange->reply().TakeBody();
    ASSERT_FALSE(piece.empty());
    received += piece.size();
    session_->Consume(exchange->stream(), piece.size());
    Run();
    EXPECT_LE(portal_->sent(exchange->stream()), received + Exchange::kMostBuffered);
  }
  ASSERT_THAT(ResponseTo(exchange), IsOk());
  EXPECT_EQ(received + ResponseTo(exchange)->body.size(), body.size());
}

TEST_F(Http2SessionTest, CanceledRequestIsResetAndItsLateReplyIgnored) {
  const ExchangePtr exchange = Start();
  Run();
  portal_->Answer(exchange->stream(), 200, {{"a", "b"}}, "too late");
  const std::string late = portal_->Send();
  session_->Cancel(exchange->stream());
  EXPECT_EQ(session_->streams(), 0U);
  EXPECT_TRUE(session_->Receive(late));
  EXPECT_TRUE(session_->WantsToSend());
  Run();
  EXPECT_EQ(RequestOf(exchange).reset, NGHTTP2_CANCEL);
  EXPECT_EQ(Ended(exchange), 0U);
  ExpectOthersGoOn();
}

TEST_F(Http2SessionTest, RequestThatWasCanceledBeforeItWasSentIsNotSent) {
  const ExchangePtr exchange = Start();
  session_->Cancel(exchange->stream());
  Run();
  EXPECT_THAT(portal_->requests(), IsEmpty());
  EXPECT_THAT(begun_, IsEmpty());
  EXPECT_THAT(outcomes_, IsEmpty());
  ExpectOthersGoOn();
}

TEST_F(Http2SessionTest, PingsAreAnswered) {
  portal_->Ping();
  Run();
  EXPECT_EQ(portal_->pongs(), 1);
}

TEST_F(Http2SessionTest, RoomFollowsThePortalsLimit) {
  Open({.most_streams = 3});
  EXPECT_EQ(session_->room(), 3U);
  const ExchangePtr first = Start();
  EXPECT_EQ(session_->room(), 2U);
  portal_->LimitStreams(1);
  Run();
  EXPECT_EQ(session_->room(), 0U);
  portal_->Answer(first->stream(), 200);
  Run();
  EXPECT_EQ(session_->room(), 1U);
  portal_->LimitStreams(0);
  Run();
  EXPECT_EQ(session_->room(), 0U);
  EXPECT_FALSE(session_->leaving());
}

TEST_F(Http2SessionTest, MostRequestsMakeItLeave) {
  Open({}, /*most_requests=*/2);
  const ExchangePtr first = Start();
  EXPECT_GT(session_->room(), 0U);
  const ExchangePtr second = Start();
  EXPECT_EQ(session_->room(), 0U);
  EXPECT_TRUE(session_->leaving());
  Run();
  for (const auto& exchange : {first, second}) portal_->Answer(exchange->stream(), 200);
  Run();
  EXPECT_THAT(ResponseTo(first), IsOk());
  EXPECT_THAT(ResponseTo(second), IsOk());
}

}  // namespace
}  // namespace lmbroker::http
