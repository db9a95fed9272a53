// What a portal does wrong, or does not want.

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/http/http2_session_fixture.h"

namespace lmbroker::http {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

using Fields = Http2Server::Fields;

class Http2SessionFaultsTest : public Http2SessionTest {
 protected:
  static std::string PhaseOf(const absl::Status& status) { return MetadataOf(status)["phase"]; }
  // It ended with the refusal, the portal was told that nobody listens, and the connection goes on.
  void ExpectRefusedAlone(const ExchangePtr& exchange, Reason reason) {
    EXPECT_THAT(ResponseTo(exchange), RefusedWith(reason));
    EXPECT_FALSE(OutcomeOf(exchange).repeat);
    EXPECT_TRUE(RequestOf(exchange).reset.has_value());
    ExpectOthersGoOn();
  }
};

TEST_F(Http2SessionFaultsTest, TooManyHeadersArePortalError) {
  for (const std::size_t count : {100U, 101U}) {
    Fields fields;
    for (std::size_t i = 0; i < count; ++i) fields.emplace_back("a", "b");
    const ExchangePtr exchange = Start();
    Run();
    portal_->Answer(exchange->stream(), 200, fields, "body");
    Run();
    if (count == 100) {
      EXPECT_THAT(ResponseTo(exchange), IsOk());
    } else {
      ExpectRefusedAlone(exchange, Reason::kPortalError);
    }
  }
}

TEST_F(Http2SessionFaultsTest, TooLongHeadersArePortalError) {
  const ExchangePtr exchange = Start();
  Run();
  portal_->Answer(exchange->stream(), 200, Fields(80, {"a", std::string(1000, 'a')}), "body");
  Run();
  ExpectRefusedAlone(exchange, Reason::kPortalError);
}

TEST_F(Http2SessionFaultsTest, TooLongTrailersArePortalError) {
  const ExchangePtr exchange = Start();
  Run();
  portal_->Begin(exchange->stream(), 200);
  portal_->Trailers(exchange->stream(), Fields(80, {"a", std::string(1000, 'a')}));
  Run();
  EXPECT_THAT(ResponseTo(exchange), RefusedWith(Reason::kPortalError));
  ExpectOthersGoOn();
}

TEST_F(Http2SessionFaultsTest, ElevenInterimRepliesArePortalError) {
  const ExchangePtr exchange = Start();
  Run();
  for (int i = 0; i < 11; ++i) portal_->Interim(exchange->stream(), 103);
  Run();
  ExpectRefusedAlone(exchange, Reason::kPortalError);
}

TEST_F(Http2SessionFaultsTest, BodyAboveTheLimitIsTooLargeHoweverItComes) {
  const std::string much(1001, 'x');
  for (const bool announced : {true, false}) {
    const ExchangePtr exchange = Start(Make(OutgoingRequestPeer::Get(), {.most_reply_bytes = 1000}));
    Run();
    portal_->Begin(exchange->stream(), 200, announced ? Fields{{"content-length", "1001"}} : Fields{});
    if (!announced) portal_->Data(exchange->stream(), much);
    Run();
    ExpectRefusedAlone(exchange, Reason::kReplyTooLarge);
    portal_->Data(exchange->stream(), much, /*end=*/true);  // changes nothing any more
    Run();
    EXPECT_EQ(Ended(exchange), 1U);
  }
  const ExchangePtr exact = Start(Make(OutgoingRequestPeer::Get(), {.most_reply_bytes = 1000}));
  Run();
  portal_->Answer(exact->stream(), 200, {{"content-length", "1000"}}, much.substr(1));
  Run();
  EXPECT_THAT(ResponseTo(exact), IsOk());
}

TEST_F(Http2SessionFaultsTest, BodyBeyondTheMemoryIsRefused) {
  ByteBudget memory(1000);
  const ExchangePtr exchange = Start(Make(OutgoingRequestPeer::Get(), {}, ByteLease(memory)));
  Run();
  portal_->Begin(exchange->stream(), 200);
  portal_->Data(exchange->stream(), std::string(1001, 'x'));
  Run();
  EXPECT_LE(memory.taken(), memory.limit());
  ExpectRefusedAlone(exchange, Reason::kQueueFull);
}

TEST_F(Http2SessionFaultsTest, ContentLengthThatLiesIsPortalError) {
  for (const char* const length : {"0", "2", "4", "5000"}) {
    const ExchangePtr exchange = Start();
    Run();
    portal_->Answer(exchange->stream(), 200, {{"content-length", length}}, "abc");
    Run();
    EXPECT_THAT(ResponseTo(exchange), RefusedWith(Reason::kPortalError)) << length;
    ExpectOthersGoOn();
  }
}

TEST_F(Http2SessionFaultsTest, MalformedHeadIsPortalErrorOfThisCallAlone) {
  const std::vector<Fields> heads = {
      {{"a", "b"}},
      {{":status", "20x"}},
      {{":status", "2000"}},
      {{":status", "101"}},
      {{":status", "000"}},
      {{":status", "099"}},
      {{":status", "200"}, {":status", "200"}},
      {{"a", "b"}, {":status", "200"}},
      {{":status", "200"}, {":path", "/"}},
      {{":status", "200"}, {"connection", "close"}},
      {{":status", "200"}, {"transfer-encoding", "chunked"}},
      {{":status", "200"}, {"content-length", "1"}, {"content-length", "1"}},
      {{":status", "200"}, {"content-length", "-1"}},
      {{":status", "200"}, {"a b", "c"}},
      {{":status", "200"}, {"a", "b\r\nc: d"}},
      {{":status", "200"}, {"a", std::string("b\0c", 3)}},
      {{":status", "200"}, {"content-length", "99999999999999999999"}},
  };
  for (const Fields& head : heads) {
    const std::string name = head.front().first + ": " + head.front().second + " … " + head.back().first;
    const ExchangePtr exchange = Start();
    Run();
    portal_->Respond(exchange->stream(), head, "x", /*end=*/true);
    Run();
    EXPECT_THAT(ResponseTo(exchange), RefusedWith(Reason::kPortalError)) << name;
    ExpectOthersGoOn();
  }
}

TEST_F(Http2SessionFaultsTest, ReplyThatEndsWithAnInterimHeadIsPortalError) {
  const ExchangePtr exchange = Start();
  Run();
  portal_->Answer(exchange->stream(), 103);
  Run();
  EXPECT_THAT(ResponseTo(exchange), RefusedWith(Reason::kPortalError));
  ExpectOthersGoOn();
}

TEST_F(Http2SessionFaultsTest, WhatIsNoHttp2EndsTheConnection) {
  constexpr std::uint8_t kEnd = NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM;
  const std::string ping(8, '\0');
  const std::vector<std::pair<std::string, std::string>> table = {
      {"text", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"},
      {"too long a frame", RawFrame(NGHTTP2_DATA, 0, 1, std::string(16'385, 'x'))},
      {"data of no stream", RawFrame(NGHTTP2_DATA, 0, 0, "x")},
      {"a reply that nobody asked for", RawFrame(NGHTTP2_HEADERS, kEnd, 101, "\x88")},
      {"a portal's own stream", RawFrame(NGHTTP2_HEADERS, kEnd, 2, "\x88")},
      {"a field that is in no table", RawFrame(NGHTTP2_HEADERS, kEnd, 1, "\xFF\x7F")},
      {"a cut head", RawFrame(NGHTTP2_HEADERS, kEnd, 1, std::string("\x88\0\x7F", 3))},
      {"a continuation of nothing", RawFrame(NGHTTP2_CONTINUATION, kEnd, 1, "\x88")},
      {"something within a head", RawFrame(NGHTTP2_HEADERS, 0, 1, "\x88") + RawFrame(NGHTTP2_PING, 0, 0, ping)},
      {"settings of odd size", RawFrame(NGHTTP2_SETTINGS, 0, 0, "odd")},
      {"a window that grows too large", RawFrame(NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7F\xFF\xFF\xFF")},
      {"a short ping", RawFrame(NGHTTP2_PING, 0, 0, "ping")},
      {"a reset of what never was", RawFrame(NGHTTP2_RST_STREAM, 0, 101, std::string(4, '\0'))},
      {"a pushed reply", RawFrame(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1,
                                  std::string("\0\0\0\2\x82\x84\x87\x41\x01\x61", 10))},
      {"more than the window",
       [] {
         std::string frames = RawFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\x88");
         for (int i = 0; i < 17; ++i) frames += RawFrame(NGHTTP2_DATA, 0, 1, std::string(16'384, 'x'));
         return frames;
       }()},
  };
  for (const auto& [name, bytes] : table) {
    Open();
    const ExchangePtr exchange = Start(Make(OutgoingRequestPeer::Get(), {.streaming = true}));
    Run();
    ASSERT_EQ(exchange->stream(), 1);
    const bool ends = EndsBy(bytes);
    if (name == "more than the window" && !ends) {  // may be the stream's error alone
      EXPECT_THAT(ResponseTo(exchange), RefusedWith(Reason::kPortalError)) << name;
      continue;
    }
    EXPECT_TRUE(ends) << name;
    EXPECT_EQ(session_->TakeAll().size() + outcomes_.size(), 1U) << name;
    EXPECT_EQ(session_->streams(), 0U);
  }
}

TEST_F(Http2SessionFaultsTest, TheFirstFrameMustBeSettings) {
  session_ = std::make_unique<Http2Session>(upstream_, 10U);
  FromClient();
  EXPECT_TRUE(EndsBy(RawFrame(NGHTTP2_PING, 0, 0, std::string(8, '\0'))));
}

TEST_F(Http2SessionFaultsTest, NoRequestBeginsOnAConnectionThatEnds) {
  EXPECT_TRUE(EndsBy(RawFrame(NGHTTP2_DATA, 0, 0, "x")));
  EXPECT_EQ(session_->room(), 0U);
}

TEST_F(Http2SessionFaultsTest, RefusedStreamIsRepeatedEightTimesAndThenNotSent) {
  const ExchangePtr exchange = Start();
  for (int repeats = 0; repeats <= 8; ++repeats) {
    const bool repeated = repeats < 8;
    Run();
    exchange->set_delivery(Delivery::kMaybeSent);  // as its connection does
    portal_->Reset(exchange->stream(), NGHTTP2_REFUSED_STREAM);
    Run();
    EXPECT_THAT(ResponseTo(exchange), RefusedWith(Reason::kPortalUnreachable));
    EXPECT_EQ(PhaseOf(ResponseTo(exchange).status()), "send");
    EXPECT_EQ(OutcomeOf(exchange).repeat, repeated);
    EXPECT_EQ(exchange->delivery(), Delivery::kNotSent);
    ExpectOthersGoOn();
    outcomes_.clear();
    if (repeated) Start(exchange);
  }
}

TEST_F(Http2SessionFaultsTest, StreamThatIsRefusedInTheMiddleOfItsReplyMayHaveActed) {
  const ExchangePtr exchange = Start();
  Run();
  exchange->set_delivery(Delivery::kMaybeSent);
  portal_->Begin(exchange->stream(), 200);
  Run();
  portal_->Reset(exchange->stream(), NGHTTP2_REFUSED_STREAM);
  Run();
  EXPECT_THAT(ResponseTo(exchange), RefusedWith(Reason::kPortalUnreachable));
  EXPECT_FALSE(OutcomeOf(exchange).repeat);
  EXPECT_EQ(exchange->delivery(), Delivery::kMaybeSent);
}

TEST_F(Http2SessionFaultsTest, ResetByThePortalIsUnreachableAndMayHaveActed) {
  for (const bool begun : {false, true}) {
    for (const std::uint32_t error : {NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_PROTOCOL_ERROR, NGHTTP2_CANCEL,
                                      NGHTTP2_ENHANCE_YOUR_CALM}) {
      const ExchangePtr exchange = Start(Make(OutgoingRequestPeer::Post("{}")));
      Run();
      exchange->set_delivery(Delivery::kMaybeSent);
      if (begun) portal_->Begin(exchange->stream(), 200);
      Run();
      portal_->Reset(exchange->stream(), error);
      Run();
      EXPECT_THAT(ResponseTo(exchange), RefusedWith(Reason::kPortalUnreachable)) << error;
      EXPECT_EQ(PhaseOf(ResponseTo(exchange).status()), "receive");
      EXPECT_FALSE(OutcomeOf(exchange).repeat);
      EXPECT_EQ(exchange->delivery(), Delivery::kMaybeSent);
      ExpectOthersGoOn();
    }
  }
}

TEST_F(Http2SessionFaultsTest, ResetInTheMiddleOfTheBodyStopsTheRequest) {
  const ExchangePtr exchange = Start(Make(OutgoingRequestPeer::Post(std::string(1 << 20, 'x'))));
  ASSERT_TRUE(portal_->Receive(FromClient()));
  portal_->Reset(exchange->stream(), NGHTTP2_INTERNAL_ERROR);
  Run();
  EXPECT_THAT(ResponseTo(exchange), RefusedWith(Reason::kPortalUnreachable));
  EXPECT_LT(RequestOf(exchange).body.size(), 1U << 20);
  ExpectOthersGoOn();
}

TEST_F(Http2SessionFaultsTest, GoAwayRefusesWhatIsAboveAndLetsTheRestFinish) {
  const std::array exchanges = {Start(), Start(), Start()};
  Run();
  portal_->GoAway(exchanges[1]->stream());
  Run();
  EXPECT_EQ(session_->room(), 0U);
  EXPECT_TRUE(session_->leaving());
  EXPECT_THAT(ResponseTo(exchanges[2]), RefusedWith(Reason::kPortalUnreachable));
  EXPECT_TRUE(OutcomeOf(exchanges[2]).repeat);
  EXPECT_EQ(exchanges[2]->delivery(), Delivery::kNotSent);
  for (const int i : {1, 0}) {
    EXPECT_EQ(Ended(exchanges[static_cast<std::size_t>(i)]), 0U);
    portal_->Answer(exchanges[static_cast<std::size_t>(i)]->stream(), 200);
    Run();
    EXPECT_THAT(ResponseTo(exchanges[static_cast<std::size_t>(i)]), IsOk());
  }
  EXPECT_EQ(session_->streams(), 0U);
}

TEST_F(Http2SessionFaultsTest, WhatWaitsToBeSentWhenGoAwayComesIsRepeatedElsewhere) {
  const ExchangePtr sent = Start();
  Run();
  const ExchangePtr waits = Start();
  portal_->GoAway(1'000'001);  // good-bye at leisure: last stream numbers come later
  ASSERT_TRUE(session_->Receive(portal_->Send()));
  Run();
  EXPECT_THAT(begun_, testing::ElementsAre(sent));
  EXPECT_TRUE(OutcomeOf(waits).repeat);
  EXPECT_EQ(waits->delivery(), Delivery::kNotSent);
  EXPECT_EQ(Ended(sent), 0U);
}

TEST_F(Http2SessionFaultsTest, WhatIsUnderWayAtTheEndIsTakenOnce) {
  const std::array exchanges = {Start(), Start()};
  Run();
  EXPECT_THAT(session_->TakeAll(), UnorderedElementsAre(exchanges[0], exchanges[1]));
  EXPECT_THAT(session_->TakeAll(), IsEmpty());
  portal_->Answer(exchanges[0]->stream(), 200, {}, "too late");
  portal_->Reset(exchanges[1]->stream(), NGHTTP2_INTERNAL_ERROR);
  Run();
  EXPECT_THAT(outcomes_, IsEmpty());
}

}  // namespace
}  // namespace lmbroker::http
