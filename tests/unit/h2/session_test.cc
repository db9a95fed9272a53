#include "service/h2/session.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/h2/session_fixture.h"

namespace lmbroker::h2 {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST_F(SessionTest, ARequestReachesItsHandlerInOrder) {
  const std::int32_t id = client_.Request(Http2Client::HeadFor("/sign", {{"x", "y"}}), "first ", /*end=*/false);
  Exchange();
  EXPECT_EQ(handler().path, "/sign");
  EXPECT_TRUE(handler().head_fits);
  EXPECT_EQ(handler().stream->head().Find("x"), "y");
  EXPECT_THAT(handler().told, ElementsAre("data"));
  client_.Data(id, "second", /*end=*/true);
  Exchange();
  EXPECT_THAT(handler().told, ElementsAre("data", "end"));
  EXPECT_EQ(handler().body, "first second");
}

TEST_F(SessionTest, ARequestWithoutABodyIsWholeAtOnce) {
  Request("/sign");
  Exchange();
  EXPECT_THAT(handler().told, ElementsAre("end"));
}

TEST_F(SessionTest, BytesThatComeOneByOneMakeTheSameRequest) {
  client_.Request(Http2Client::HeadFor("/sign"), "payload");
  owner_.on_end = [](Stream& stream) { stream.Answer(kHead); };
  for (const char byte : client_.Send()) ASSERT_TRUE(session_->Receive({&byte, 1}));
  EXPECT_EQ(handler().path, "/sign");
  EXPECT_EQ(handler().body, "payload");
  EXPECT_THAT(handler().told, ElementsAre("data", "end"));
  Exchange();
  EXPECT_THAT(handler().told, ElementsAre("data", "end", "closed"));
}

TEST_F(SessionTest, ARequestOfAMegabyteComesWhole) {
  const std::string body(1 << 20, 'r');
  client_.Request(Http2Client::HeadFor("/sign"), body);
  Exchange();
  EXPECT_EQ(handler().body, body);
  EXPECT_THAT(handler().told, ElementsAre("data", "end"));
}

// gRPC's clients send the values that their callers gave them.
TEST_F(SessionTest, AValueMayHaveSpacesAtItsEnds) {
  client_.Request(Http2Client::HeadFor("/sign", {{"x", " y "}}));
  Exchange();
  EXPECT_EQ(handler().stream->head().Find("x"), " y ");
}

TEST_F(SessionTest, WhatGoesBeyondTheHeadIsLeftOut) {
  Open({.header_bytes = 512});
  const std::int32_t id = client_.Request(
      Http2Client::HeadFor("/sign", {{"before", "it"}, {"large", std::string(600, 'l')}, {"after", "it"}}));
  owner_.on_end = [](Stream& stream) { stream.Answer(kHead); };
  const std::string up = client_.Send();
  ASSERT_TRUE(session_->Receive(up));
  EXPECT_FALSE(handler().head_fits);
  EXPECT_EQ(handler().stream->head().Find("before"), "it");
  EXPECT_EQ(handler().stream->head().Count("large"), 0U);
  EXPECT_EQ(handler().stream->head().Count("after"), 0U);
  Exchange();
  EXPECT_TRUE(client_.answer(id).ended);
}

TEST_F(SessionTest, FourTimesTheHeadIsTooMuchToGoOn) {
  Open({.header_bytes = 512});
  client_.Request(Http2Client::HeadFor("/sign", {{"large", std::string(3'000, 'l')}}));
  EXPECT_FALSE(session_->Receive(client_.Send()));
  EXPECT_THAT(owner_.handlers, testing::IsEmpty());
}

TEST_F(SessionTest, StreamsBeyondTheLimitAreRefusedAndTheRestGoOn) {
  Open({.streams = 2});
  owner_.on_end = [](Stream& stream) { stream.Begin(kHead); };
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(Request("/watch"));  // the client has not heard of the limit
  Exchange();
  EXPECT_EQ(client_.most_streams(), 2U);
  ASSERT_EQ(owner_.handlers.size(), 2U);
  EXPECT_EQ(client_.answer(ids[2]).reset, NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(client_.answer(ids[3]).reset, NGHTTP2_REFUSED_STREAM);
  handler(0).stream->Finish(kTrailers);
  handler(1).stream->Finish(kTrailers);
  const std::int32_t next = Request("/watch");
  Exchange();
  EXPECT_TRUE(client_.answer(ids[0]).ended && client_.answer(ids[1]).ended);
  EXPECT_THAT(client_.answer(next).head, ElementsAre(Pair(":status", "200")));
}

TEST_F(SessionTest, WhatIsNoHttp2IsNotTaken) {
  EXPECT_FALSE(session_->Receive("GET / HTTP/1.1\r\nHost: lmbroker\r\n\r\n"));
  EXPECT_THAT(owner_.handlers, testing::IsEmpty());
}

TEST_F(SessionTest, RequestsOnTheirWayAreStillTakenAfterTheEndIsAnnounced) {
  Exchange();
  session_->AnnounceEnd();
  const std::string notice = FromServer();
  Request("/sign");
  EXPECT_TRUE(session_->Receive(client_.Send()));
  EXPECT_EQ(owner_.handlers.size(), 1U);
  client_.Receive(notice);
  ASSERT_TRUE(client_.goaway().has_value());
  EXPECT_EQ(client_.goaway()->last_stream, std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(client_.goaway()->error, NGHTTP2_NO_ERROR);
  EXPECT_FALSE(session_->over());
}

TEST_F(SessionTest, AtTheEndTheClientKnowsWhichRequestsWereTaken) {
  const std::int32_t taken = Request("/sign");
  Exchange();
  session_->AnnounceEnd();
  session_->End();
  const std::string goodbye = FromServer();
  Request("/sign");
  EXPECT_TRUE(session_->Receive(client_.Send()));
  EXPECT_EQ(owner_.handlers.size(), 1U);
  client_.Receive(goodbye);
  ASSERT_TRUE(client_.goaway().has_value());
  EXPECT_EQ(client_.goaway()->last_stream, taken);
  EXPECT_EQ(client_.goaway()->error, NGHTTP2_NO_ERROR);
}

// The good-bye may wait for room in the socket, and a request that its client is told to make again must not be
// answered.
TEST_F(SessionTest, NoRequestIsTakenAfterTheEndEvenBeforeTheClientIsTold) {
  Request("/sign");
  Exchange();
  session_->End();
  Request("/sign");
  EXPECT_TRUE(session_->Receive(client_.Send()));
  EXPECT_EQ(owner_.handlers.size(), 1U);
}

TEST_F(SessionTest, AfterTheEndItIsOverOnceTheLastStreamIsAnswered) {
  const std::int32_t id = Request("/sign");
  Exchange();
  session_->End();
  Exchange();
  EXPECT_FALSE(session_->over());
  handler().stream->Answer(kHead);
  EXPECT_FALSE(session_->over());
  Exchange();
  EXPECT_TRUE(session_->over());
  EXPECT_TRUE(client_.answer(id).ended);
}

TEST_F(SessionTest, AnIdleOneIsOverAtItsEnd) {
  Exchange();
  EXPECT_FALSE(session_->over());
  session_->End();
  Exchange();
  EXPECT_TRUE(session_->over());
}

TEST_F(SessionTest, AbandonedStreamsAreToldSoOnce) {
  Request("/watch");
  client_.Request(Http2Client::HeadFor("/sign"), "part", /*end=*/false);
  Exchange();
  session_->Abandon();
  session_.reset();
  EXPECT_THAT(handler(0).told, ElementsAre("end", "closed"));
  EXPECT_THAT(handler(1).told, ElementsAre("data", "closed"));
}

TEST_F(SessionTest, StreamsOfASessionThatEndsAreToldSo) {
  Request("/watch");
  Exchange();
  session_.reset();
  EXPECT_THAT(handler().told, ElementsAre("end", "closed"));
}

TEST_F(SessionTest, AClientThatOpensAndResetsForEverIsSentAway) {
  Open({.streams = 10});
  int opened = 0;
  for (; opened < 10'000 && !client_.goaway().has_value(); ++opened) {
    const std::int32_t id = Request("/sign");
    std::string up = client_.Send();
    client_.Reset(id);
    up += client_.Send();
    if (!session_->Receive(up)) break;
    client_.Receive(FromServer());
  }
  EXPECT_LT(opened, 1'000);
  ASSERT_TRUE(client_.goaway().has_value());
  EXPECT_NE(client_.goaway()->error, NGHTTP2_NO_ERROR);
  EXPECT_EQ(session_->streams(), 0U);
  EXPECT_TRUE(session_->over());
}

TEST_F(SessionTest, AClientThatResetsAllItsStreamsAtOnceStays) {
  Open({.streams = 10});
  for (int round = 0; round < 3; ++round) {
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 10; ++i) ids.push_back(Request("/sign"));
    Exchange();
    for (const std::int32_t id : ids) client_.Reset(id);
    Exchange();
  }
  EXPECT_FALSE(client_.goaway().has_value());
  EXPECT_EQ(owner_.handlers.size(), 30U);
  EXPECT_EQ(session_->streams(), 0U);
}

TEST_F(SessionTest, EachHandlerThatIsStillThereIsVisited) {
  for (const char* const path : {"/a", "/b", "/c"}) Request(path);
  Exchange();
  handler(1).stream->Answer(kHead);
  Exchange();
  std::vector<StreamHandler*> visited;
  session_->ForEach([&](StreamHandler& each) { visited.push_back(&each); });
  EXPECT_THAT(visited, testing::UnorderedElementsAre(&handler(0), &handler(2)));
}

TEST_F(SessionTest, WhoIsVisitedMayCutItsStream) {
  Request("/a");
  Request("/b");
  Exchange();
  session_->ForEach([](StreamHandler& each) { static_cast<FakeHandler&>(each).stream->Cut(); });
  Exchange();
  EXPECT_EQ(session_->streams(), 0U);
  EXPECT_THAT(handler(0).told, ElementsAre("end", "closed"));
  EXPECT_THAT(handler(1).told, ElementsAre("end", "closed"));
}

}  // namespace
}  // namespace lmbroker::h2
