#include "service/h2/stream.h"

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

using StreamTest = SessionTest;

TEST_F(StreamTest, AnAnswerWithoutABodyEndsTheStream) {
  const std::int32_t id = Request("/sign");
  Exchange();
  handler().stream->Answer(kHead);
  Exchange();
  EXPECT_THAT(client_.answer(id).head, ElementsAre(Pair(":status", "200")));
  EXPECT_EQ(client_.answer(id).body, "");
  EXPECT_TRUE(client_.answer(id).ended);
  EXPECT_FALSE(client_.answer(id).reset.has_value());
  EXPECT_THAT(handler().told, ElementsAre("end", "closed"));
  EXPECT_EQ(session_->streams(), 0U);
}

TEST_F(StreamTest, AnAnswerHasHeadBodyAndTrailers) {
  const std::int32_t id = Request("/sign");
  owner_.on_end = [](Stream& stream) {
    stream.Begin(kHead);
    stream.Write("sig");
    stream.Write("nature");
    stream.Finish(kTrailers);
  };
  Exchange();
  EXPECT_THAT(client_.answer(id).head, ElementsAre(Pair(":status", "200")));
  EXPECT_EQ(client_.answer(id).body, "signature");
  EXPECT_THAT(client_.answer(id).trailers, ElementsAre(Pair("grpc-status", "0")));
  EXPECT_TRUE(client_.answer(id).ended);
  EXPECT_THAT(handler().told, ElementsAre("end", "closed"));
}

TEST_F(StreamTest, TheHeadGoesOutBeforeThereIsABody) {
  const std::int32_t id = Request("/watch");
  owner_.on_end = [](Stream& stream) { stream.Begin(kHead); };
  Exchange();
  EXPECT_THAT(client_.answer(id).head, ElementsAre(Pair(":status", "200")));
  EXPECT_FALSE(client_.answer(id).ended);
  handler().stream->Finish(kTrailers);
  Exchange();
  EXPECT_EQ(client_.answer(id).body, "");
  EXPECT_TRUE(client_.answer(id).ended);
}

TEST_F(StreamTest, AnAnswerMayHaveNoTrailers) {
  const std::int32_t id = Request("/sign");
  owner_.on_end = [](Stream& stream) {
    stream.Begin(kHead);
    stream.Write("body");
    stream.Finish({});
  };
  Exchange();
  EXPECT_EQ(client_.answer(id).body, "body");
  EXPECT_TRUE(client_.answer(id).ended);
}

TEST_F(StreamTest, AnAnswerTellsItsOwnerThatThereIsSomethingToSend) {
  Request("/sign");
  Exchange();
  EXPECT_FALSE(session_->WantsToSend());
  const int before = owner_.outputs;
  handler().stream->Answer(kHead);
  EXPECT_GT(owner_.outputs, before);
  EXPECT_TRUE(session_->WantsToSend());
}

TEST_F(StreamTest, ALargeAnswerGoesOutAsTheClientTakesItAndThenThereIsRoom) {
  const std::string body(200 << 10, 'b');
  const std::int32_t id = Request("/list");
  Exchange();
  handler().stream->Begin(kHead);
  handler().stream->Write(body);
  const std::string first = FromServer();
  EXPECT_LT(first.size(), 70'000U);  // the client's window, and frames' heads
  EXPECT_THAT(handler().told, ElementsAre("end"));
  client_.Receive(first);
  Exchange();
  EXPECT_EQ(client_.answer(id).body, body);
  EXPECT_THAT(handler().told, ElementsAre("end", "sent"));
  handler().stream->Finish(kTrailers);
  Exchange();
  EXPECT_TRUE(client_.answer(id).ended);
  EXPECT_THAT(handler().told, ElementsAre("end", "sent", "closed"));
}

TEST_F(StreamTest, WhoIsToldThatThereIsRoomWritesTheNextPiece) {
  const std::int32_t id = Request("/watch");
  int written = 0;
  owner_.on_end = [](Stream& stream) {
    stream.Begin(kHead);
    stream.Write("0");
  };
  owner_.on_sent = [&](Stream& stream) {
    stream.Write(std::to_string(++written));
    if (written == 4) stream.Finish(kTrailers);
  };
  Exchange();
  EXPECT_EQ(client_.answer(id).body, "01234");
  EXPECT_TRUE(client_.answer(id).ended);
  EXPECT_THAT(handler().told, ElementsAre("end", "sent", "sent", "sent", "sent", "closed"));
}

TEST_F(StreamTest, NotMuchMoreThanEnoughIsSentAtOnce) {
  Request("/list");
  Exchange();
  handler().stream->Begin(kHead);
  handler().stream->Write(std::string(60'000, 'b'));
  EXPECT_LT(FromServer(/*enough=*/1'000).size(), 20'000U);
  EXPECT_THAT(handler().told, ElementsAre("end"));
  EXPECT_TRUE(session_->WantsToSend());
}

TEST_F(StreamTest, AnAnswerBeforeTheRequestsEndDoesNotAwaitTheRest) {
  const std::int32_t id = client_.Request(Http2Client::HeadFor("/sign"), "part", /*end=*/false);
  Exchange();
  handler().stream->Answer(kHead);
  Exchange();
  EXPECT_TRUE(client_.answer(id).ended);
  EXPECT_EQ(client_.answer(id).reset, NGHTTP2_NO_ERROR);
  EXPECT_THAT(handler().told, ElementsAre("data", "closed"));
}

TEST_F(StreamTest, AStreamThatItsClientResetsIsClosed) {
  const std::int32_t id = Request("/watch");
  owner_.on_end = [](Stream& stream) { stream.Begin(kHead); };
  Exchange();
  client_.Reset(id);
  Exchange();
  EXPECT_THAT(handler().told, ElementsAre("end", "closed"));
  EXPECT_EQ(session_->streams(), 0U);
}

TEST_F(StreamTest, AStreamThatIsCutIsToldSoOnceWithTheNextSend) {
  const std::int32_t id = Request("/watch");
  Exchange();
  handler().stream->Cut();
  EXPECT_THAT(handler().told, ElementsAre("end"));
  Exchange();
  EXPECT_THAT(handler().told, ElementsAre("end", "closed"));
  EXPECT_EQ(client_.answer(id).reset, NGHTTP2_CANCEL);
  EXPECT_FALSE(client_.answer(id).ended);
  EXPECT_EQ(session_->streams(), 0U);
}

class StreamWithoutWindowTest : public SessionTest {
 protected:
  StreamWithoutWindowTest() : SessionTest({.stream_window = 0}) {}
};

TEST_F(StreamWithoutWindowTest, AStreamThatIsCutIsToldSoEvenWhenItsCallerDoesNotRead) {
  const std::int32_t id = Request("/watch");
  owner_.on_end = [](Stream& stream) {
    stream.Begin(kHead);
    stream.Write(std::string(1'000, 'b'));
  };
  Exchange();
  EXPECT_EQ(client_.answer(id).body, "");
  handler().stream->Cut();
  EXPECT_EQ(FromServer(/*enough=*/0), "");  // the connection has no room either
  EXPECT_THAT(handler().told, ElementsAre("end", "closed"));
  Exchange();
  EXPECT_EQ(client_.answer(id).reset, NGHTTP2_CANCEL);
  EXPECT_THAT(handler().told, ElementsAre("end", "closed"));
}

}  // namespace
}  // namespace lmbroker::h2
