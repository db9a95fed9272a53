#include "service/http/reply_parser.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/base/error.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::http {
namespace {

using testing::ElementsAre;

constexpr std::size_t kMostBody = 1000;

// A reply and what reads it.
class Reading {
 public:
  explicit Reading(std::size_t most_body_bytes, ByteLease memory = {}) : reply_(most_body_bytes, std::move(memory)) {}

  absl::Status Feed(std::string_view bytes) { return parser_.Feed(bytes); }
  void EndOfStream() { parser_.EndOfStream(); }
  bool done() const { return parser_.done(); }
  bool reusable() const { return parser_.reusable(); }
  std::size_t body_size() const { return reply_.body_size(); }
  Response TakeResponse() { return reply_.TakeResponse(); }

 private:
  Reply reply_;
  ReplyParser parser_{reply_};
};

TEST(ReplyParserTest, ReplyWithLengthIsReadWhole) {
  Reading parser(kMostBody);
  ASSERT_THAT(
      parser.Feed("HTTP/1.1 404 Not Found\r\nContent-Type: a/b \t\r\nX-Empty:\r\nContent-Length: 5\r\n\r\nhello"),
      IsOk());
  ASSERT_TRUE(parser.done());
  EXPECT_TRUE(parser.reusable());
  const Response response = parser.TakeResponse();
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "hello");
  EXPECT_THAT(response.headers, ElementsAre(NameValue{"Content-Type", "a/b"}, NameValue{"X-Empty", ""},
                                            NameValue{"Content-Length", "5"}));
}

TEST(ReplyParserTest, AnySplitOfTheBytesGivesTheSameReply) {
  const std::string bytes =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n"
      "3;x=y\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: ignored\r\n\r\n";
  for (std::size_t split = 1; split < bytes.size(); ++split) {
    Reading parser(kMostBody);
    ASSERT_THAT(parser.Feed(bytes.substr(0, split)), IsOk());
    EXPECT_FALSE(parser.done());
    ASSERT_THAT(parser.Feed(bytes.substr(split)), IsOk());
    ASSERT_TRUE(parser.done()) << split;
    EXPECT_TRUE(parser.reusable());
    const Response response = parser.TakeResponse();
    EXPECT_EQ(response.body, "abcdefg");
    EXPECT_THAT(response.headers, ElementsAre(NameValue{"Transfer-Encoding", "chunked"}, NameValue{"A", "b"}));
  }
}

TEST(ReplyParserTest, ByteByByteIsTheSameToo) {
  Reading parser(kMostBody);
  for (const char c : std::string("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"))
    ASSERT_THAT(parser.Feed({&c, 1}), IsOk());
  ASSERT_TRUE(parser.done());
  EXPECT_EQ(parser.TakeResponse().body, "{}");
}

TEST(ReplyParserTest, ABodyIsCountedForAsLongAsItIsThere) {
  ByteBudget memory(1000);
  std::optional<Response> response;
  {
    Reading parser(kMostBody, ByteLease(memory));
    ASSERT_THAT(parser.Feed("HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"), IsOk());
    EXPECT_EQ(memory.taken(), 0U);  // what a portal says takes no room, only what it sends
    ASSERT_THAT(parser.Feed(std::string(100, 'x')), IsOk());
    EXPECT_GE(memory.taken(), 100U);
    ASSERT_THAT(parser.Feed(std::string(300, 'x')), IsOk());
    ASSERT_TRUE(parser.done());
    response = parser.TakeResponse();
  }
  EXPECT_EQ(memory.taken(), 400U);
  EXPECT_EQ(response->body, std::string(400, 'x'));
  response.reset();
  EXPECT_EQ(memory.taken(), 0U);
}

TEST(ReplyParserTest, ABodyThatFindsNoRoomIsRefused) {
  ByteBudget memory(300);
  {
    Reading parser(kMostBody, ByteLease(memory));
    ASSERT_THAT(parser.Feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), IsOk());
    absl::Status fed;
    for (int i = 0; i < 100 && fed.ok(); ++i) {
      fed = parser.Feed("a\r\n0123456789\r\n");
      EXPECT_LE(memory.taken(), 300U);
      EXPECT_GE(memory.taken() + 15, parser.body_size());  // a short string has room in itself
    }
    EXPECT_THAT(fed, RefusedWith(Reason::kQueueFull));
    EXPECT_GE(parser.body_size(), 150U);
  }
  EXPECT_EQ(memory.taken(), 0U);
}

TEST(ReplyParserTest, StatusesWithoutABodyEndWithTheirHead) {
  for (const int status : {204, 304}) {
    Reading parser(kMostBody);
    ASSERT_THAT(parser.Feed(fmt::format("HTTP/1.1 {} X\r\n\r\n", status)), IsOk());
    EXPECT_TRUE(parser.done());
    EXPECT_TRUE(parser.reusable());
  }
}

TEST(ReplyParserTest, ReplyWithoutAnEndEndsWithTheStream) {
  Reading parser(kMostBody);
  ASSERT_THAT(parser.Feed("HTTP/1.1 200 OK\r\n\r\nabc"), IsOk());
  EXPECT_FALSE(parser.done());
  parser.EndOfStream();
  ASSERT_TRUE(parser.done());
  EXPECT_FALSE(parser.reusable());
  EXPECT_EQ(parser.TakeResponse().body, "abc");
}

TEST(ReplyParserTest, EndOfStreamDoesNotCompleteACutReply) {
  for (const std::string_view cut :
       {"", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nA: b\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "HTTP/1.1 100 Continue\r\n\r\n"}) {
    Reading parser(kMostBody);
    ASSERT_THAT(parser.Feed(cut), IsOk());
    parser.EndOfStream();
    EXPECT_FALSE(parser.done()) << cut;
  }
}

TEST(ReplyParserTest, BytesBehindTheReplyMakeTheConnectionUseless) {
  const std::string reply = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
  Reading together(kMostBody);
  ASSERT_THAT(together.Feed(reply + reply), IsOk());
  ASSERT_TRUE(together.done());
  EXPECT_FALSE(together.reusable());
  EXPECT_EQ(together.TakeResponse().body, "x");

  Reading later(kMostBody);
  ASSERT_THAT(later.Feed(reply), IsOk());
  EXPECT_TRUE(later.reusable());
  ASSERT_THAT(later.Feed("\r\n"), IsOk());
  EXPECT_FALSE(later.reusable());
}

TEST(ReplyParserTest, ConnectionCloseAndHttp10AreNotReusable) {
  for (const std::string_view head : {"HTTP/1.1 200 OK\r\nConnection: close\r\n", "HTTP/1.0 200 OK\r\n"}) {
    Reading parser(kMostBody);
    ASSERT_THAT(parser.Feed(std::string(head) + "Content-Length: 0\r\n\r\n"), IsOk());
    ASSERT_TRUE(parser.done());
    EXPECT_FALSE(parser.reusable());
  }
}

TEST(ReplyParserTest, BodyAboveTheLimitIsTooLargeHoweverItComes) {
  const std::string much(kMostBody + 1, 'x');
  const std::vector<std::string> replies = {
      "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n" + much,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt::format("{:x}\r\n", much.size()) + much,
      "HTTP/1.1 200 OK\r\nContent-Length: 1844674407370955160\r\n\r\n"};
  for (const std::string& reply : replies) {
    Reading parser(kMostBody);
    EXPECT_THAT(parser.Feed(reply), RefusedWith(Reason::kReplyTooLarge)) << reply.substr(0, 60);
  }
  Reading exact(kMostBody);
  EXPECT_THAT(exact.Feed("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + much.substr(1)), IsOk());
  EXPECT_TRUE(exact.done());
}

std::string Repeat(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(ReplyParserTest, AmbiguousOrBrokenReplyIsNotHttp) {
  const std::vector<std::string> table = {
      "garbage", "SSH-2.0-OpenSSH_9.2\r\n", std::string("\0\0\0\0", 4), "HTTP/2 200\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
      "HTTP/0.9 200 OK\r\n\r\n", "HTTP/1.1 20x OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 9999 OK\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n", "ICY 200 OK\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
      // two lengths
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      // odd lengths and codings
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1 1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: \r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
      // an interim reply has no body, and http-parser takes the name of the first two for Transfer-Encoding
      "HTTP/1.1 102 OK\r\nTransfer-Encodings: a\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encodings: a\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n",
      // odd headers
      "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\n: empty\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", std::string("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", 28),
      "HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n",
      // too much
      "HTTP/1.1 200 OK\r\n" + Repeat("A: b\r\n", 101) + "\r\n",
      "HTTP/1.1 200 OK\r\nA: " + std::string(66 << 10, 'a') + "\r\n\r\n",
      "HTTP/1.1 200 OK\r\n" + Repeat("A: " + std::string(1000, 'a') + "\r\n", 80) + "\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" +
          Repeat("A: " + std::string(1000, 'a') + "\r\n", 80),
      "HTTP/1.1 200 " + std::string(100 << 10, 'a'), Repeat("HTTP/1.1 100 Continue\r\n\r\n", 11)};
  for (const std::string& bytes : table) {
    Reading parser(kMostBody);
    EXPECT_THAT(parser.Feed(bytes), RefusedWith(Reason::kPortalError)) << bytes.substr(0, 80);
    EXPECT_FALSE(parser.done());
  }
}

TEST(ReplyParserTest, TenInterimRepliesAreSkipped) {
  Reading parser(kMostBody);
  ASSERT_THAT(parser.Feed(Repeat("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", 10) +
                          "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
              IsOk());
  ASSERT_TRUE(parser.done());
  const Response response = parser.TakeResponse();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.size(), 1U);
}

}  // namespace
}  // namespace lmbroker::http
