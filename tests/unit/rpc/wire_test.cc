#include "service/rpc/wire.h"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grpc/health/v1/health.pb.h"
#include "tests/support/status_matchers.h"

namespace lmbroker::rpc {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr MessageCoding kGzip{.coding = http::Coding::kGzip};
constexpr MessageCoding kDeflate{.coding = http::Coding::kDeflate};

std::string WithLength(std::string_view message, char flag = 0) {
  std::string framed(1, flag);
  for (int shift = 24; shift >= 0; shift -= 8) framed.push_back(static_cast<char>((message.size() >> shift) & 0xFF));
  return framed.append(message);
}

std::string Compressed(std::string plain, http::Coding coding) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, coding == http::Coding::kGzip ? 31 : 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, plain.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(ParseTimeoutTest, EveryUnitIsKnown) {
  EXPECT_EQ(ParseTimeout("2H"), absl::Hours(2));
  EXPECT_EQ(ParseTimeout("3M"), absl::Minutes(3));
  EXPECT_EQ(ParseTimeout("4S"), absl::Seconds(4));
  EXPECT_EQ(ParseTimeout("5m"), absl::Milliseconds(5));
  EXPECT_EQ(ParseTimeout("6u"), absl::Microseconds(6));
  EXPECT_EQ(ParseTimeout("7n"), absl::Nanoseconds(7));
  EXPECT_EQ(ParseTimeout("0S"), absl::ZeroDuration());
}

TEST(ParseTimeoutTest, EightDigitsAreTheMost) {
  EXPECT_EQ(ParseTimeout("99999999H"), absl::Hours(99'999'999));
  EXPECT_EQ(ParseTimeout("00000001S"), absl::Seconds(1));
  EXPECT_EQ(ParseTimeout("100000000n"), std::nullopt);
  EXPECT_EQ(ParseTimeout("000000001S"), std::nullopt);
}

TEST(ParseTimeoutTest, WhatIsNoneIsNone) {
  for (const char* value :
       {"", "S", "1", "10", "-1S", "+1S", " 1S", "1 S", "1S ", "1s", "1h", "1ms", "1.5S", "0x1S", "S1", "\xD9\xA1S"}) {
    EXPECT_EQ(ParseTimeout(value), std::nullopt) << '"' << value << '"';
  }
}

TEST(FramedTest, TheLengthGoesBeforeTheMessage) {
  grpc::health::v1::HealthCheckRequest message;
  EXPECT_EQ(Framed(message), std::string(5, '\0'));
  message.set_service("a");
  EXPECT_EQ(Framed(message), WithLength("\n\x01"
                                        "a"));
  message.set_service(std::string(70'000, 'a'));
  EXPECT_EQ(Framed(message), WithLength(message.SerializeAsString()));
}

TEST(TrailersTest, OkIsItsNumberAlone) { EXPECT_THAT(TrailersOf({}), ElementsAre(Pair("grpc-status", "0"))); }

TEST(TrailersTest, AMessageIsPercentEncodedWhereItIsNotPrintable) {
  EXPECT_THAT(TrailersOf({.code = 5, .message = "100% of \"caf\xC3\xA9\"\n~"}),
              ElementsAre(Pair("grpc-status", "5"), Pair("grpc-message", "100%25 of \"caf%C3%A9\"%0A~")));
  EXPECT_THAT(TrailersOf({.code = 2, .message = std::string("\0\x7F\t", 3)}),
              ElementsAre(Pair("grpc-status", "2"), Pair("grpc-message", "%00%7F%09")));
}

TEST(TrailersTest, DetailsAreBase64WithoutPadding) {
  const auto details_of = [](std::string bytes) { return TrailersOf({.code = 3, .details = std::move(bytes)}).back(); };
  EXPECT_THAT(details_of("a"), Pair("grpc-status-details-bin", "YQ"));
  EXPECT_THAT(details_of("ab"), Pair("grpc-status-details-bin", "YWI"));
  EXPECT_THAT(details_of("abc"), Pair("grpc-status-details-bin", "YWJj"));
  EXPECT_THAT(details_of("\xFB\xFF\xFE"), Pair("grpc-status-details-bin", "+//+"));
}

TEST(MessageCodingTest, WhatWeCanUndoIsKnown) {
  EXPECT_TRUE(ParseMessageCoding("").known);
  EXPECT_FALSE(ParseMessageCoding("").coding.has_value());
  EXPECT_TRUE(ParseMessageCoding("identity").known);
  EXPECT_FALSE(ParseMessageCoding("identity").coding.has_value());
  EXPECT_EQ(ParseMessageCoding("gzip").coding, http::Coding::kGzip);
  EXPECT_EQ(ParseMessageCoding("deflate").coding, http::Coding::kDeflate);
  for (const char* other : {"snappy", "br", "gzip,deflate", "gzip "}) EXPECT_FALSE(ParseMessageCoding(other).known);
}

class MessageReaderTest : public testing::Test {
 protected:
  struct Read {
    std::vector<std::string> messages;
    absl::Status end;
  };
  // What the reader makes of bytes that come in pieces of `piece` bytes.
  static Read From(MessageReader& reader, std::string_view bytes, std::size_t piece = std::string_view::npos) {
    Read read;
    while (!bytes.empty()) {
      std::string_view part = bytes.substr(0, piece);
      bytes.remove_prefix(part.size());
      while (true) {
        auto next = reader.Next(part);
        read.end = next.status();
        if (!next.ok()) return read;
        if (!next->has_value()) break;
        read.messages.push_back(**std::move(next));
      }
      EXPECT_TRUE(part.empty());
    }
    return read;
  }

  ByteBudget budget_{1 << 20};
  MessageReader reader_{1000, {}, budget_};
  MessageReader gzip_{1000, kGzip, budget_};
};

TEST_F(MessageReaderTest, AWholeMessageComesOut) {
  EXPECT_THAT(From(reader_, WithLength("hello")).messages, ElementsAre("hello"));
  EXPECT_EQ(budget_.taken(), 0U);
}

TEST_F(MessageReaderTest, SingleBytesMakeTheSameMessages) {
  EXPECT_THAT(From(reader_, WithLength("hello") + WithLength("") + WithLength("you"), 1).messages,
              ElementsAre("hello", "", "you"));
  EXPECT_EQ(budget_.taken(), 0U);
}

TEST_F(MessageReaderTest, TwoMessagesMayComeInOnePiece) {
  EXPECT_THAT(From(reader_, WithLength("one") + WithLength("two")).messages, ElementsAre("one", "two"));
}

TEST_F(MessageReaderTest, AMessageMayBeEmpty) {
  EXPECT_THAT(From(reader_, WithLength("")).messages, ElementsAre(""));
  EXPECT_FALSE(reader_.within());
}

TEST_F(MessageReaderTest, NothingComesOfNothing) {
  EXPECT_THAT(From(reader_, "").messages, ElementsAre());
  std::string_view none;
  EXPECT_THAT(reader_.Next(none), IsOkAndHolds(std::nullopt));
}

TEST_F(MessageReaderTest, AMessageThatGrowsOverManyPiecesStaysWhole) {
  MessageReader reader(std::size_t{1} << 19, {}, budget_);
  std::string large;
  for (int i = 0; large.size() < (std::size_t{1} << 19) - 10; ++i) large += std::to_string(i);
  const Read read = From(reader, WithLength(large), 1009);
  ASSERT_EQ(read.messages.size(), 1U);
  EXPECT_TRUE(read.messages.front() == large);
}

TEST_F(MessageReaderTest, ItKnowsWhetherItIsWithinAMessage) {
  EXPECT_FALSE(reader_.within());
  From(reader_, std::string_view("\0", 1));
  EXPECT_TRUE(reader_.within());
  From(reader_, std::string_view("\0\0\0\2a", 5));
  EXPECT_TRUE(reader_.within());
  EXPECT_THAT(From(reader_, "b").messages, ElementsAre("ab"));
  EXPECT_FALSE(reader_.within());
}

TEST_F(MessageReaderTest, WhatIsHeldOfAMessageIsCounted) {
  {
    MessageReader reader(1000, {}, budget_);
    From(reader, WithLength("hello").substr(0, 8));
    EXPECT_EQ(budget_.taken(), 3U);
  }
  EXPECT_EQ(budget_.taken(), 0U);
}

TEST_F(MessageReaderTest, ALengthOverTheLimitIsRefusedBeforeAnyOfTheMessageIsHeld) {
  EXPECT_THAT(From(reader_, WithLength(std::string(1000, 'a'))).messages, ElementsAre(std::string(1000, 'a')));
  EXPECT_THAT(From(reader_, WithLength(std::string(1001, 'a')).substr(0, 5)).end, RefusedWith(Reason::kBodyTooLarge));
  EXPECT_EQ(budget_.taken(), 0U);
  MessageReader other(1000, {}, budget_);
  EXPECT_THAT(From(other, std::string("\0\xFF\xFF\xFF\xFF", 5)).end, RefusedWith(Reason::kBodyTooLarge));
}

TEST_F(MessageReaderTest, WithoutRoomItIsRefused) {
  ByteBudget small(10);
  {
    MessageReader reader(1000, {}, small);
    const std::string bytes = WithLength("twelve bytes");
    EXPECT_THAT(From(reader, bytes.substr(0, 13)).end, IsOk());
    EXPECT_THAT(From(reader, bytes.substr(13)).end, RefusedWith(Reason::kQueueFull));
  }
  EXPECT_EQ(small.taken(), 0U);
}

// Its caller may take a while to read the refusal; others need the room now.
TEST_F(MessageReaderTest, WhenItRefusesItGivesBackWhatItHeld) {
  ByteBudget small(10);
  MessageReader reader(1000, {}, small);
  const std::string bytes = WithLength("twelve bytes");
  From(reader, bytes.substr(0, 13));
  EXPECT_THAT(From(reader, bytes.substr(13)).end, RefusedWith(Reason::kQueueFull));
  EXPECT_EQ(small.taken(), 0U);
}

TEST_F(MessageReaderTest, CompressedMessagesAreUndone) {
  MessageReader deflate(1000, kDeflate, budget_);
  const std::string plain(900, 'x');
  EXPECT_THAT(From(gzip_, WithLength(Compressed(plain, http::Coding::kGzip), 1), 3).messages, ElementsAre(plain));
  EXPECT_THAT(From(deflate, WithLength(Compressed(plain, http::Coding::kDeflate), 1), 3).messages, ElementsAre(plain));
  EXPECT_EQ(budget_.taken(), 0U);
}

TEST_F(MessageReaderTest, WithAnEncodingAMessageMayStillBePlain) {
  EXPECT_THAT(From(gzip_, WithLength("plain") + WithLength(Compressed("", http::Coding::kGzip), 1)).messages,
              ElementsAre("plain", ""));
}

TEST_F(MessageReaderTest, AMessageThatInflatesBeyondTheLimitIsRefused) {
  const std::string bomb = Compressed(std::string(std::size_t{100} << 10, '\0'), http::Coding::kGzip);
  ASSERT_LT(bomb.size(), 1000U);
  EXPECT_THAT(From(gzip_, WithLength(bomb, 1)).end, RefusedWith(Reason::kBodyTooLarge));
  EXPECT_EQ(budget_.taken(), 0U);
}

TEST_F(MessageReaderTest, WhatIsNotAsTheEncodingSaysIsRefused) {
  EXPECT_THAT(From(gzip_, WithLength("not gzip", 1)).end, RefusedWith(Reason::kFieldInvalid));
  MessageReader empty(1000, kGzip, budget_);
  EXPECT_THAT(From(empty, WithLength("", 1)).end, RefusedWith(Reason::kFieldInvalid));
  MessageReader cut(1000, kGzip, budget_);
  std::string half = Compressed("hello", http::Coding::kGzip);
  half.pop_back();
  EXPECT_THAT(From(cut, WithLength(half, 1)).end, RefusedWith(Reason::kFieldInvalid));
  EXPECT_EQ(budget_.taken(), 0U);
}

TEST_F(MessageReaderTest, CompressedWithoutAnEncodingIsRefused) {
  EXPECT_THAT(From(reader_, WithLength("hello", 1)).end, RefusedWith(Reason::kFieldInvalid));
}

TEST_F(MessageReaderTest, AFlagThatGrpcDoesNotKnowIsRefused) {
  for (const char flag : {'\2', '\3', '\x80', '\xFF'}) {
    MessageReader reader(1000, kGzip, budget_);
    EXPECT_THAT(From(reader, WithLength("hello", flag)).end, RefusedWith(Reason::kFieldInvalid));
  }
}

}  // namespace
}  // namespace lmbroker::rpc
